"""Curves in experiment trackers, through Lightning's loggers; `curves.csv` is always written."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from gliobench.training.settings import EpochReport

LogName = Literal["tensorboard", "mlflow", "wandb"]


def open_logs(names: Sequence[LogName], folder: Path, run: str) -> list[Any]:
    """Lightning loggers that write under `folder`; `run` is the training's name in them.

    MLflow and Weights & Biases log to this machine only, unless their own environment variables say otherwise. Raises
    ModuleNotFoundError where a package is missing; the message says which to install.
    """
    return [_LOGGERS[name](folder / name, run) for name in names]


def log_epoch(loggers: Sequence[Any], report: EpochReport) -> None:
    """Write one epoch's values."""
    figures = {
        "train_loss": report.train_loss,
        "validation_loss": report.validation_loss,
        "validation_metric": report.validation_metric,
        "train_score": report.train_score,
        "validation_score": report.validation_score,
        "learning_rate": report.learning_rate,
        "seconds": report.seconds,
    }
    for logger in loggers:
        logger.log_metrics(figures, step=report.epoch)


def close_logs(loggers: Sequence[Any]) -> None:
    """Flush and close the loggers."""
    for logger in loggers:
        logger.finalize("success")


def _tensorboard(folder: Path, run: str) -> Any:
    from lightning.fabric.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name=run, version="")


def _mlflow(folder: Path, run: str) -> Any:
    from lightning.pytorch.loggers import MLFlowLogger

    return MLFlowLogger(experiment_name="gliobench", run_name=run, save_dir=str(folder))


def _wandb(folder: Path, run: str) -> Any:
    from lightning.pytorch.loggers import WandbLogger

    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(name=run, project="gliobench", save_dir=folder, offline="WANDB_API_KEY" not in os.environ)


_LOGGERS: dict[str, Callable[[Path, str], Any]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
