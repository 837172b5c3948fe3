"""Tiny, random, seeded checkpoints of real architectures, one file per family.

They are untrained: with them every step from a slice to a scored answer runs on a laptop, through the same public calls
that load and query real weights.
"""

from gliobench.models.tiny.clip import tiny_clip_config, write_tiny_clip
from gliobench.models.tiny.idefics3 import write_tiny_idefics3
from gliobench.models.tiny.mllama import UNTRAINED, write_tiny_mllama
from gliobench.models.tiny.sam import tiny_sam_config, write_tiny_sam, write_tiny_sam2

__all__ = [
    "UNTRAINED",
    "tiny_clip_config",
    "tiny_sam_config",
    "write_tiny_clip",
    "write_tiny_idefics3",
    "write_tiny_mllama",
    "write_tiny_sam",
    "write_tiny_sam2",
]
