"""A first draft of the problem that a data set nobody described is about, read from its names."""
