"""Models of other people: a user's own Python class."""
