"""What a promptable segmenter or a vision encoder takes, by torch's meta device: shapes, and no arithmetic."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gliobench.models.checkpoints.files import checkpoint_fault
from gliobench.study.plan.estimates import Estimate, ModelPlan, gib, hours
from gliobench.study.plan.families import checkpoint_here, checkpoint_room, is_made_here
from gliobench.study.plan.inputs import PlanInputs
from gliobench.study.plan.missing import gpu_missing

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from gliobench.study.kinds.vision import VisionModelConfig

Prompt = Literal["box", "point"] | None
BYTES = 4  # a number: both run in float32
PIXEL_SECONDS = 40e-9  # to resize and normalise an image on one processor; docs/planning.md
# Width, layers and heads by what a checkpoint's name says; a vision transformer's usual ones.
TOWERS = {
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
    "so400m": (1152, 27, 16),
    "giant": (1536, 40, 24),
}
HIERA = {  # SAM 2's towers: width, blocks a stage, and the blocks that look at everything
    "tiny": (96, (1, 2, 7, 2), (5, 7, 9)),
    "small": (96, (1, 2, 11, 2), (7, 10, 13)),
    "base": (112, (2, 3, 16, 3), (12, 16, 20)),
    "large": (144, (2, 6, 36, 4), (23, 33, 43)),
}
ENCODERS = (  # in a name; model type; patch and side in pixels where the name says nothing
    ("siglip", "siglip_vision_model", 16, 224),
    ("clip", "clip_vision_model", 32, 224),
    ("dinov3", "dinov3_vit", 16, 224),
    ("dino", "dinov2", 14, 224),
)


@dataclass(frozen=True)
class VisionSize:
    """`parameters`; `operations` of an image; `alive`: the most bytes of a batch alive at once; `side_px` of what the
    tower gets; `width`: numbers in an encoder's pooled output."""

    parameters: int
    operations: float
    alive: int
    side_px: int
    width: int

    def seconds(self, images: float, flops: float) -> float:
        """Of so many images, at so many operations a second."""
        return images * (PIXEL_SECONDS * self.side_px**2 + self.operations / flops)


def vision_size(plan_inputs: PlanInputs, part: "VisionModelConfig", batch: int, prompt: Prompt) -> VisionSize | None:
    """Of a model that is given `batch` images at once; `prompt`: of a segmenter. None where neither its files nor its
    name say what it is."""
    folder = checkpoint_here(plan_inputs.context, part.checkpoint, part.revision)
    if folder is not None and checkpoint_fault(folder, "encoder" if prompt is None else "segmenter"):
        return None  # said under what is missing
    config = _config(part.checkpoint, folder)
    if config is None:
        return None
    if prompt is not None:
        return size_of(config, segmenter_side(config), batch, prompt)
    config = getattr(config, "vision_config", config)
    return size_of(config, _encoder_side(config, part.checkpoint, folder), batch, None)


def _config(checkpoint: str, folder: Path | None) -> "PreTrainedConfig | None":
    from transformers import AutoConfig

    if is_made_here(checkpoint):
        from gliobench.models.tiny import tiny_clip_config, tiny_sam_config

        return {"tiny-sam": tiny_sam_config, "tiny-clip": tiny_clip_config}[checkpoint]()
    if folder is None:
        return named_config(checkpoint.lower())
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        family = {"sam2_video": "sam2"}.get(content["model_type"], content["model_type"])  # as the segmenter loads it
        return AutoConfig.for_model(family, **{key: content[key] for key in content if key != "model_type"})
    except (OSError, ValueError, KeyError):
        return None


def named_config(name: str) -> "PreTrainedConfig | None":
    """The layers that a known family's checkpoint of that name has, about."""
    from transformers import AutoConfig

    short = re.search(r"vit-?([sblhg])(?![a-z])", name)
    letter = {one[0]: one for one in ("small", "base", "large", "huge", "giant")}
    word = next((one for one in TOWERS if one in name), letter[short[1]] if short else "base")
    width, layers, heads = TOWERS[word]
    if "sam2" in name or "sam-2" in name:
        return AutoConfig.for_model("sam2", vision_config=_hiera(name))
    if re.search(r"sam(?![a-z])", name):
        looks = [layers // 4 * quarter - 1 for quarter in (1, 2, 3, 4)]
        tower = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "mlp_dim": 4 * width}
        return AutoConfig.for_model("sam", vision_config={**tower, "global_attn_indexes": looks})
    for pattern, family, patch, side in ENCODERS:
        if pattern in name:
            said, sized = re.search(r"patch-?(\d+)", name), re.search(r"patch-?\d+-(\d+)", name)
            return AutoConfig.for_model(
                family,
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=4 * width,
                patch_size=int(said[1]) if said else patch,
                image_size=int(sized[1]) if sized else side,
            )
    return None


def _hiera(name: str) -> dict[str, Any]:
    """SAM 2's tower: every stage twice as wide as the one before, of half as many pixels along each axis."""
    width, blocks, everywhere = HIERA[next((one for one in HIERA if one in name), "tiny")]
    widths = [width * 2**stage for stage in range(4)]
    tower = {"model_type": "sam2_hiera_det_model", "hidden_size": width, "blocks_per_stage": list(blocks)}
    tower["global_attention_blocks"] = list(everywhere)
    heads = [wide // 96 if width == 96 else wide // (width // 2) for wide in widths]
    tower |= {"embed_dim_per_stage": widths, "num_attention_heads_per_stage": heads, "num_attention_heads": heads[0]}
    return {"backbone_config": tower, "backbone_channel_list": widths[::-1]}


def segmenter_side(config: Any) -> int:
    """Of the square, in pixels, that SAM or SAM 2 gets."""
    vision = config.vision_config
    return int(vision.backbone_config.image_size[0] if hasattr(vision, "backbone_config") else vision.image_size)


def _encoder_side(config: Any, checkpoint: str, folder: Path | None) -> int:
    """Its image processor's, where that is here: DINOv2's own configuration says another."""
    from gliobench.models.base.errors import ModelError
    from gliobench.models.checkpoints.vision import load_image_processor
    from gliobench.models.vision.features import shown_side

    if folder is not None:
        try:
            return shown_side(checkpoint, load_image_processor(str(folder), config.model_type, {}))
        except ModelError:
            pass
    return int(config.image_size)


def size_of(config: Any, side: int, batch: int, prompt: Prompt) -> VisionSize:
    """Send a batch through the layers on the meta device, counting operations and bytes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel

    from gliobench.study.plan.alive import Alive

    with torch.device("meta"):
        model = AutoModel.from_config(config).eval().requires_grad_(False)
        given: dict[str, Any] = {"pixel_values": torch.empty(batch, 3, side, side)}
        if prompt == "box":
            given |= {"input_boxes": torch.empty(batch, 1, 4), "multimask_output": False}
        elif prompt == "point":
            labels = torch.ones(batch, 1, 1, dtype=torch.long)
            given |= {"input_points": torch.empty(batch, 1, 1, 2), "input_labels": labels, "multimask_output": True}
        with torch.no_grad(), FlopCounterMode(display=False) as counter, Alive() as alive:
            model(**given)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return VisionSize(
        parameters, counter.get_total_flops() / batch, alive.most, side, getattr(config, "hidden_size", 0)
    )


def vision_plan(
    plan_inputs: PlanInputs, part: "VisionModelConfig", images: Estimate, size: VisionSize | None, more: float
) -> ModelPlan:
    """What a model takes that encodes so many images; `more`: seconds beside that, wherever it runs."""
    step = replace(plan_inputs.asking(part, plan_inputs.questions(part), None), images=images)
    if size is None:
        return ModelPlan((step,))
    here, there = (
        size.seconds(images.value, machine.flops32) + more for machine in (plan_inputs.here, plan_inputs.there)
    )
    weights = BYTES * size.parameters
    step = replace(
        step,
        gpu_memory_gib=gib(weights, size.alive),
        hours_here=step.hours_here or hours(here),
        hours_there=hours(there),
    )
    missing = gpu_missing(part.name, step.gpu_memory_gib, plan_inputs.here, "a smaller batch_size")
    return ModelPlan((step,), tuple(checkpoint_room(plan_inputs.context, part, weights)), tuple(missing))
