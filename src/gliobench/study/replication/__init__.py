"""A study of answers that were given elsewhere, without models."""
