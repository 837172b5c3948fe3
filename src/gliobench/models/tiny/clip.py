"""A tiny, random, seeded checkpoint of the real CLIP architecture, its text tower included."""

from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel
from transformers.models.clip.configuration_clip import CLIPTextConfig, CLIPVisionConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from gliobench.models.checkpoints.load import quiet

IMAGE_SIZE_PX = 64
HIDDEN = 64


def tiny_clip_config() -> CLIPConfig:
    """The tiny CLIP's layers."""
    layers = {"hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision = CLIPVisionConfig(**layers, image_size=IMAGE_SIZE_PX, patch_size=8)
    text = CLIPTextConfig(**layers, vocab_size=256, bos_token_id=0, eos_token_id=1, pad_token_id=1)
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=HIDDEN)


def write_tiny_clip(out: Path, seed: int = 0) -> Path:
    """Write a CLIP (about 150,000 random float32 parameters, model and image processor) into the folder `out`.

    The same seed gives the same bytes. Returns `out`.
    """
    size = {"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        model = CLIPModel(tiny_clip_config())
        model.eval().save_pretrained(out)
        CLIPImageProcessorPil(size={"shortest_edge": IMAGE_SIZE_PX}, crop_size=size).save_pretrained(out)
    return out
