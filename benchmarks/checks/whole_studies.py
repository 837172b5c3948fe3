"""The reference study's files from end to end, in small: every model of them, tiny random weights for the real ones.

    python benchmarks/checks/whole_studies.py ../shared/cohort_2mm --out runs/whole-studies

What stays: the split, models, tasks, planes, prompts, views, ways of answering and of fine-tuning. What is cut: grid,
slices, epochs, steps and repeats; language models become the tiny Mllama, not quantised. The figures say that a file
can be run, nothing about models. Ends in one line of JSON.
"""

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is imported: waiting threads must not spin

from rich.console import Console

from gliobench.models.tiny import write_tiny_mllama
from gliobench.study.config.study import Study, read_study
from gliobench.study.kinds.network import NetworkConfig
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.run import run_stages
from gliobench.study.stages.score import read_scores
from gliobench.study.state.context import make_context
from gliobench.study.state.progress import Terminal

STUDIES = Path(__file__).resolve().parents[2] / "studies"
FILES = ("brats2020", "brats2020-fair")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/whole-studies"))
    parser.add_argument("--studies", nargs="+", choices=FILES, default=FILES)
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    checkpoint = write_tiny_mllama(options.out / "tiny-mllama")
    results = {name: run(name, checkpoint, options.cohort, options.out) for name in options.studies}
    print(json.dumps({"check": "whole-studies", **results}))


def run(name: str, checkpoint: Path, cohort: Path, out: Path) -> dict[str, Any]:
    """Run one file in small; how long it took, and what was answered by whom to which task."""
    study = small(read_study(STUDIES / f"{name}.yaml"), checkpoint)
    context = make_context(
        study, cohort=cohort, out=out / name, store=out / "grid", workers=2, voice=Terminal(Console())
    )
    start = time.perf_counter()
    run_stages(context)
    seconds = time.perf_counter() - start
    summary = read_scores(context).summary
    answered = {str(model): sorted(set(rows["task"])) for model, rows in summary.groupby("model")}
    if absent := sorted({part.name for part in study.models} - set(answered)):
        raise SystemExit(f"{name}: {', '.join(absent)} stand in no table")
    return {"seconds": round(seconds), "tested": len(context.tested), "answered": answered}


def small(study: Study, checkpoint: Path) -> Study:
    """The same study in minutes."""
    content = study.model_dump()
    content["grid"]["shape"] = (48, 64, 64)
    content["slices"] |= {"every": 8, "trim": 0}
    if study.split.scheme == "cross-validation":
        content["split"]["folds"] = 2
    if study.consistency is not None:
        content["consistency"]["repeats"] = 5
    content["models"] = tuple(_small(part, checkpoint) for part in study.models)
    return Study.model_validate(content)


def _small(part: Any, checkpoint: Path) -> dict[str, Any]:
    content: dict[str, Any] = part.model_dump()
    if isinstance(part, NetworkConfig):
        content["train"] |= {"epochs": 2, "batch_size": 2}
    if isinstance(part, LanguageModelConfig):
        content |= {"checkpoint": str(checkpoint), "quantisation": None}
        if part.finetune is not None:
            own = {"steps": 4, "epochs": None, "batch_size": 2, "accumulation": 2, "optimiser": "auto", "every": 8}
            watched = {} if part.finetune.patients == "all" else {"validation_slices": 2}
            content["finetune"] |= own | watched | {"trim": None}
    return content


if __name__ == "__main__":
    main()
