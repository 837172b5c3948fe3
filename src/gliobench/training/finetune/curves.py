"""The curves of a fine-tuning, one line a judgement."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gliobench.integrity import write_whole

NAMES = {
    "loss": "train_loss",
    "eval_loss": "validation_loss",
    "eval_score": "validation_metric",
    "learning_rate": "learning_rate",
    "eval_seconds": "seconds",
}


def write_curves(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the trainer's history as CSV, whole or not at all.

    `step`, `train_loss` (the mean since the line before), `validation_loss`, `validation_metric` (the score of the
    model's own answers), `learning_rate`, `seconds`, and each task's own figure; empty where nobody validates.
    """
    by_step: dict[int, dict[str, Any]] = {}
    for entry in history:
        by_step.setdefault(entry["step"], {}).update(entry)
    judged = {step: entry for step, entry in by_step.items() if "eval_seconds" in entry}
    figures = sorted({key for entry in judged.values() for key in entry if key.startswith("eval_task_")})
    lines = [",".join(["step", *NAMES.values(), *(key.removeprefix("eval_task_") for key in figures)])]
    for step, entry in judged.items():
        lines.append(",".join([str(step), *(repr(entry.get(key, "")).strip("'") for key in (*NAMES, *figures))]))
    write_whole(path, ("\n".join(lines) + "\n").encode())
