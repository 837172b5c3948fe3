"""The stages, one file each, and what they learn and ask on the way."""
