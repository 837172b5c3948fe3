"""What a vision-language model sees: one file per kind of view."""
