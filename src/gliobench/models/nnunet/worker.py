"""Runs nnU-Net v2 in whichever environment has it; `gliobench.models.nnunet.model` starts it as a process of its own.

This file imports the standard library and nnU-Net and nothing of gliobench, which need not be installed there. It is
given one job as JSON, and writes one line of JSON per event to its standard output; what nnU-Net prints goes to
standard error. It watches its standard input: when the process that started it ends, by whatever signal, it and all its
own processes end too.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

DATASET_ID, DATASET, FOLD = 1, "Dataset001_gliobench", 0
FINAL = "checkpoint_final.pth"
CURVES = {
    "train_loss": "train_losses",
    "validation_loss": "val_losses",
    "validation_metric": "mean_fg_dice",
    "learning_rate": "lrs",
}

Tell = Callable[..., None]


def main() -> None:
    job = json.loads(sys.argv[1])
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    threading.Thread(target=_end_with_the_caller, daemon=True).start()

    def tell(**event: Any) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    folders = {name: str(Path(job["root"]) / name) for name in ("raw", "preprocessed", "results")}
    processes = dict.fromkeys(("n_proc_DA", "def_n_proc"), str(job["workers"]))
    os.environ |= {f"nnUNet_{name}": value for name, value in (folders | processes).items()}
    {"check": check, "train": train, "predict": predict}[job["do"]](job, tell)


def _end_with_the_caller() -> None:
    while os.read(0, 1):  # nothing is ever written there
        pass
    os.killpg(0, signal.SIGKILL)


def check(job: dict[str, Any], tell: Tell) -> None:
    """Report the nnU-Net version, once everything that the other jobs import has been imported."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api  # noqa: F401
    from nnunetv2.inference import predict_from_raw_data  # noqa: F401
    from nnunetv2.run import run_training  # noqa: F401

    tell(nnunetv2=version("nnunetv2"), torch=version("torch"), device=str(_device()))


def train(job: dict[str, Any], tell: Tell) -> None:
    """Plan, preprocess and train; resumes from the last epoch's checkpoint where there is one."""
    from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint

    root = Path(job["root"])
    plans = _plan_and_preprocess(root, job)
    go_on = any((root / "results").rglob("checkpoint_*.pth"))
    trainer = get_trainer_from_args(
        DATASET, job["configuration"], FOLD, job["trainer"], plans, continue_training=go_on, device=_device()
    )
    trainer.num_epochs = job["epochs"]
    trainer.num_iterations_per_epoch = job["iterations"]
    trainer.num_val_iterations_per_epoch = validation_iterations(job["iterations"])
    trainer.save_every = 1
    trainer.save_checkpoint = partial(_save_whole, trainer.save_checkpoint)
    trainer.on_epoch_end = partial(_tell_epoch, trainer, trainer.on_epoch_end, tell)
    maybe_load_checkpoint(trainer, go_on, validation_only=False)
    trainer.run_training()
    trainer.perform_actual_validation()
    summary = json.loads(Path(trainer.output_folder, "validation", "summary.json").read_text())
    tell(
        done=True,
        model=str(Path(trainer.output_folder_base).relative_to(root)),
        plans=plans,
        nnunetv2=version("nnunetv2"),
        validation_dice=float(summary["foreground_mean"]["Dice"]),
        curves={name: [float(value) for value in trainer.logger.get_value(key, None)] for name, key in CURVES.items()},
    )


def validation_iterations(iterations: int) -> int:
    """Validation iterations per epoch, by nnU-Net's own ratio to training iterations."""
    return max(1, iterations // 5)


def _plan_and_preprocess(root: Path, job: dict[str, Any]) -> str:
    """The name of nnU-Net's plans; what an earlier call finished is skipped."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess

    finished = root / "preprocessed" / "finished.txt"
    if finished.exists():
        return finished.read_text()
    extract_fingerprints([DATASET_ID], num_processes=job["workers"])
    plans: str = plan_experiments([DATASET_ID], job["planner"])
    preprocess([DATASET_ID], plans, [job["configuration"]], [job["workers"]])
    finished.write_text(plans)
    return plans


def _save_whole(save: Callable[[str], None], path: str) -> None:
    """Write a checkpoint atomically: whole or not at all."""
    partial_path = Path(f"{path}.partial")
    save(str(partial_path))
    partial_path.replace(path)


def _tell_epoch(trainer: Any, end_epoch: Callable[[], None], tell: Tell) -> None:
    end_epoch()
    loss, dice = (float(trainer.logger.get_value(key, -1)) for key in ("train_losses", "mean_fg_dice"))
    tell(epoch=trainer.current_epoch, loss=loss, dice=dice)


def predict(job: dict[str, Any], tell: Tell) -> None:
    """Segment every patient in `images`; nnU-Net's probabilities and masks are left in `out`."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=_device(), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(Path(job["root"]) / job["model"]), (FOLD,), FINAL)
    predictor.predict_from_files(
        job["images"],
        job["out"],
        save_probabilities=True,
        num_processes_preprocessing=job["workers"],
        num_processes_segmentation_export=job["workers"],
    )
    tell(done=True)


def _device() -> Any:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
