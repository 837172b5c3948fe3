"""The curves of a fine-tuning: one line per evaluation, and one per step of the optimiser."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gliobench.integrity import write_whole

STEP_LOSS = "step_loss"  # in the history, of one step; `loss` is the mean since the last entry
EVALUATED = {"eval_loss", "eval_seconds"}  # the latter alone without validation
NAMES = {
    "loss": "train_loss",
    "eval_loss": "validation_loss",
    "eval_score": "validation_metric",
    "learning_rate": "learning_rate",
    "eval_seconds": "seconds",
}


def write_curves(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the trainer's history as CSV, atomically.

    `step`, `train_loss` (the mean since the line before), `validation_loss`, `validation_metric` (the score of the
    model's own answers), `learning_rate`, `seconds`, and each task's own metric; empty without validation.
    """
    by_step: dict[int, dict[str, Any]] = {}
    losses: list[float] = []
    for entry in history:
        by_step.setdefault(entry["step"], {}).update(entry)
        if "loss" in entry:
            losses.append(entry["loss"])
        if entry.keys() & EVALUATED and losses:
            by_step[entry["step"]]["loss"] = math.fsum(losses) / len(losses)
            losses = []
    evaluated = {step: entry for step, entry in by_step.items() if entry.keys() & EVALUATED}
    figures = sorted({key for entry in evaluated.values() for key in entry if key.startswith("eval_task_")})
    lines = [",".join(["step", *NAMES.values(), *(key.removeprefix("eval_task_") for key in figures)])]
    for step, entry in evaluated.items():
        lines.append(",".join([str(step), *(repr(entry.get(key, "")).strip("'") for key in (*NAMES, *figures))]))
    write_whole(path, ("\n".join(lines) + "\n").encode())


def write_losses(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write `step`, `train_loss` (of this step's slices alone, before the step) and `learning_rate` of every step of
    the optimiser as CSV, atomically."""
    steps = [entry for entry in history if STEP_LOSS in entry]
    lines = ["step,train_loss,learning_rate"]
    lines += [f"{entry['step']},{entry[STEP_LOSS]!r},{entry['learning_rate']!r}" for entry in steps]
    write_whole(path, ("\n".join(lines) + "\n").encode())
