"""A study file: the whole of it, validated."""
