"""Vision models without language: promptable segmenters, and encoders with a linear probe."""
