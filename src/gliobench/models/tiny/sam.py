"""Tiny, random, seeded checkpoints of the real SAM and SAM 2 architectures."""

from pathlib import Path
from typing import Any

import torch
from transformers import Sam2Config, Sam2Model, Sam2Processor, SamConfig, SamModel, SamProcessor
from transformers.models.sam.configuration_sam import SamMaskDecoderConfig, SamPromptEncoderConfig, SamVisionConfig
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil
from transformers.models.sam2.configuration_sam2 import (
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.utils.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from gliobench.models.checkpoints.load import quiet

IMAGE_SIZE_PX = 64
MASK_SIZE_PX = IMAGE_SIZE_PX // 4  # of the processors, which resize true masks to it; none are used here
HIDDEN = 16
INITIAL_SPREAD = HIDDEN**-0.5  # as for the tiny Mllama: 0.02 would drown image and prompt


def tiny_sam_config() -> SamConfig:
    """The tiny SAM's layers."""
    vision = SamVisionConfig(
        hidden_size=2 * HIDDEN,
        output_channels=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE_SIZE_PX,
        patch_size=8,
        window_size=4,
        global_attn_indexes=[1],
        num_pos_feats=HIDDEN // 2,
        mlp_dim=4 * HIDDEN,
        initializer_range=INITIAL_SPREAD,
    )
    prompt = SamPromptEncoderConfig(hidden_size=HIDDEN, image_size=IMAGE_SIZE_PX, patch_size=8, mask_input_channels=4)
    decoder = SamMaskDecoderConfig(
        hidden_size=HIDDEN, mlp_dim=2 * HIDDEN, num_attention_heads=2, iou_head_hidden_dim=HIDDEN
    )
    return SamConfig(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config=decoder,
        initializer_range=INITIAL_SPREAD,
    )


def write_tiny_sam(out: Path, seed: int = 0) -> Path:
    """Write a SAM (about 40,000 random float32 parameters, model and processor) into the folder `out`.

    The same seed gives the same bytes. Returns `out`.
    """
    square = {"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}
    image_processor = SamImageProcessorPil(
        size={"longest_edge": IMAGE_SIZE_PX},
        pad_size=square,
        mask_size={"longest_edge": MASK_SIZE_PX},
        mask_pad_size={"height": MASK_SIZE_PX, "width": MASK_SIZE_PX},
    )
    return _write(out, seed, SamModel, tiny_sam_config(), SamProcessor(image_processor))


def write_tiny_sam2(out: Path, seed: int = 0) -> Path:
    """Write a SAM 2 (about 80,000 random float32 parameters) into the folder `out`, as `write_tiny_sam` does."""
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[IMAGE_SIZE_PX, IMAGE_SIZE_PX],
        blocks_per_stage=[1, 1, 1, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 4],
        window_size_per_stage=[4, 4, 4, 4],
        window_positional_embedding_background_size=[4, 4],
        global_attention_blocks=[],
        initializer_range=INITIAL_SPREAD,
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=HIDDEN,
        initializer_range=INITIAL_SPREAD,
    )
    prompt = Sam2PromptEncoderConfig(hidden_size=HIDDEN, image_size=IMAGE_SIZE_PX, mask_input_channels=4)
    decoder = Sam2MaskDecoderConfig(
        hidden_size=HIDDEN, mlp_dim=2 * HIDDEN, num_attention_heads=2, iou_head_hidden_dim=HIDDEN
    )
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config=decoder,
        initializer_range=INITIAL_SPREAD,
    )
    square = {"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}
    colours = {"image_mean": IMAGENET_DEFAULT_MEAN, "image_std": IMAGENET_DEFAULT_STD}
    image_processor = ViTImageProcessorPil(size=square, **colours)
    return _write(out, seed, Sam2Model, config, Sam2Processor(image_processor))


def _write(out: Path, seed: int, architecture: Any, config: Any, processor: Any) -> Path:
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        architecture(config).eval().save_pretrained(out)
        processor.save_pretrained(out)
    return out
