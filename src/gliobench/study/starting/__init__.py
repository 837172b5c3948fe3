"""A first study file for data that nobody described: `gliobench init`."""
