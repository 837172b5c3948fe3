"""What a vision-language model sees: one file a kind of view."""
