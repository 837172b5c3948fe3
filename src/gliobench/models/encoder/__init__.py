"""Frozen vision encoders with a linear probe: the cheap specialist between language models and 3D networks."""
