"""The checks of a finished fine-tuning, each with a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gliobench.models.checkpoints.load import quiet
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.training.finetune.examples import Example
from gliobench.training.finetune.settings import FinetuneSettings
from gliobench.training.finetune.towers import LEARNS

# Relative to the largest logit: the merged weights are rounded once more, to the dtype that they are stored in.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


@dataclass(frozen=True)
class Verdict:
    """One check: whether it is `passed`, and what was found."""

    check: str
    passed: bool
    found: str

    def __str__(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'} {self.check}: {self.found}"


@torch.no_grad()
def fixed_logits(model: VisionLanguageModel, example: Example) -> Tensor:
    """The logits of the first token of the answer to a question, (vocabulary,) float32 on the CPU."""
    network = model.checkpoint.model.eval()
    inputs = model.inputs([example.question]).to(network.device, network.dtype)  # type: ignore[attr-defined]
    with quiet():
        logits: Tensor = network(**inputs, use_cache=False).logits[0, -1]
    return logits.float().cpu()


def check(
    model: VisionLanguageModel,
    network: Any,
    settings: FinetuneSettings,
    counts: Mapping[str, tuple[int, int]],
    before: Tensor,
    fixed: Example,
) -> list[Verdict]:
    """The verdicts about a trained `network`; `counts`: `trainable_by_tower`; `before`: `fixed_logits` untrained."""
    after = fixed_logits(model, fixed)
    verdicts = [_towers(settings, counts), _changes(before, after)]
    if settings.method == "lora":
        verdicts.append(_merges(model, network, fixed, after))
    return verdicts


def _towers(settings: FinetuneSettings, counts: Mapping[str, tuple[int, int]]) -> Verdict:
    """Every tower that should be trained has trainable parameters, no other has; the connector need not."""
    wanted = set(LEARNS[settings.towers]) - {"connector"}
    learning = {part for part, (learns, _) in counts.items() if learns}
    found = ", ".join(f"{part} {learns:,} of {total:,}" for part, (learns, total) in sorted(counts.items()))
    passed = wanted <= learning <= set(LEARNS[settings.towers])
    return Verdict("trainable parameters by tower", passed, found)


def _changes(before: Tensor, after: Tensor) -> Verdict:
    largest = (after - before).abs().max().item()
    return Verdict(
        "training changes the answer to a fixed input", largest > 1e-6, f"a logit changes by up to {largest:.3g}"
    )


def _merges(model: VisionLanguageModel, network: Any, fixed: Example, apart: Tensor) -> Verdict:
    network.merge_adapter()
    merged = fixed_logits(model, fixed)
    network.unmerge_adapter()
    dtype = model.checkpoint.model.dtype
    allowed = TOLERANCE.get(dtype, 1e-2) * apart.abs().max().item()
    largest = (merged - apart).abs().max().item()
    found = f"logits differ by up to {largest:.3g}, {allowed:.3g} is allowed in {str(dtype).removeprefix('torch.')}"
    return Verdict("merged equals unmerged", largest <= allowed, found)


def apart(train: frozenset[str], validation: frozenset[str], tested: frozenset[str]) -> Verdict:
    """Whether no patient, by id, is in two of training, validation and test."""
    shared = (train & validation) | (train & tested) | (validation & tested)
    sizes = f"{len(train)} training, {len(validation)} validation, {len(tested)} test patients"
    return Verdict("no training patient in validation or test", not shared, f"{sizes}, {len(shared)} in two of them")
