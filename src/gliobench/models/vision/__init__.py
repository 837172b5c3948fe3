"""Models that see and do not speak: promptable segmenters, and encoders with a linear probe."""
