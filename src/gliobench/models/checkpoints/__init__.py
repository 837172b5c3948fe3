"""Checkpoints of transformers: found, checked before any work, loaded, quantised, with an adapter on top."""
