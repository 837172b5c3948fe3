"""nnU-Net v2 end to end on phantoms: planned, trained, killed on the way, gone on with, asked, scored.

nnU-Net need not be installed where gliobench is (docs/nnunet.md):

    python benchmarks/checks/nnunet_smoke.py --python ../nnunet/bin/python --out runs/nnunet-smoke

A few iterations on made brains: the figures say that it works, nothing about nnU-Net. Ends in one line of JSON.
"""

import argparse
import json
import multiprocessing
import shutil
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from gliobench.cohort.phantom import write_phantom
from gliobench.models.nnunet.model import read_description
from gliobench.study.config.study import Study
from gliobench.study.run import run_stages
from gliobench.study.stages.score import read_scores
from gliobench.study.state.context import Context, make_context
from gliobench.study.state.progress import Silent, Terminal

REGIONS = ("whole", "brats")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", type=Path, default=None, help="an interpreter that has nnunetv2; default: this one")
    parser.add_argument("--out", type=Path, default=Path("runs/nnunet-smoke"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--regions", nargs="+", choices=REGIONS, default=REGIONS)
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    write_phantom(options.out / "cohort", subjects=8, seed=0)
    entry = {"kind": "nnunet", "epochs": options.epochs, "iterations": options.iterations, "python": options.python}
    names = {f"nnunet-{regions}": regions for regions in options.regions}
    models = [{**entry, "name": name, "regions": regions} for name, regions in names.items()]
    study = Study.model_validate(
        {
            "name": "nnunet-smoke",
            "grid": {"shape": (24, 32, 32)},
            "split": {"test_share": 0.3, "folds": 2},
            "slices": {"every": 6},
            "tasks": ("mask",),
            "models": [{"kind": "baseline", "name": "flair-blob"}, *models],
        }
    )
    voice = Terminal(Console())
    context = make_context(study, cohort=options.out / "cohort", out=options.out / "run", workers=1, voice=voice)
    first = next(iter(names))
    killed_at = kill_in_training(context, first)
    start = time.perf_counter()
    run_stages(context)
    seconds = time.perf_counter() - start
    logs = [path.read_text() for path in context.folder.network(first, 0).rglob("training_log_*.txt")]
    summary = read_scores(context).summary
    dice = summary[(summary["plane"] == "volume") & (summary["metric"] == "dice")]
    found = {f"{row.model} {row.task}": round(row.value, 3) for row in dice.itertuples()}
    described = {name: read_description(context.folder.network(name, 0)) for name in names}
    result = {
        "check": "nnunet-smoke",
        "nnunetv2": described[first]["nnunetv2"],
        "killed_after_epoch": killed_at,
        "first_epochs_trained": sum(log.count("Epoch 0") for log in logs),
        "seconds_after_that": round(seconds),
        "validation_dice": {name: one["validation_metric"] for name, one in described.items()},
        "dice": found,
    }
    print(json.dumps(result))
    if result["first_epochs_trained"] != 1:
        raise SystemExit("the killed training did not go on, it began again")


def kill_in_training(context: Context, name: str) -> int:
    """Kill a run, its workers left to notice, once nnU-Net has left the checkpoint of an epoch; returns which."""
    process = multiprocessing.get_context("spawn").Process(target=run_stages, args=(replace(context, voice=Silent()),))
    process.start()
    folder = context.folder.network(name, 0)
    while not list(folder.rglob("checkpoint_latest.pth")):
        if not process.is_alive():
            raise SystemExit("the run ended before it could be killed")
        time.sleep(0.2)
    process.kill()
    process.join()
    (log,) = folder.rglob("training_log_*.txt")
    time.sleep(2)
    left = log.read_text()
    time.sleep(20)
    if log.read_text() != left:
        raise SystemExit("nnU-Net went on after the run that started it was killed")
    return left.count("Epoch time")


if __name__ == "__main__":
    main()
