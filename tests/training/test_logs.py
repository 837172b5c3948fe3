"""Curves reach the tools that people watch trainings with."""

from pathlib import Path

import pytest

from gliobench.training.logs import close_logs, log_epoch, open_logs
from gliobench.training.settings import EpochReport

REPORT = EpochReport(3, 10, 0.5, 0.625, 0.75, 1e-3, 2.0)


def test_tensorboard_holds_what_was_reported(tmp_path: Path) -> None:
    loggers = open_logs(["tensorboard"], tmp_path, "train-net-fold-0")
    log_epoch(loggers, REPORT)
    close_logs(loggers)
    (events,) = (tmp_path / "tensorboard").rglob("events.out.tfevents.*")
    written = events.read_bytes()
    for name in (b"train_loss", b"validation_metric", b"learning_rate"):
        assert name in written


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    pytest.importorskip("lightning.pytorch")
    try:
        import mlflow  # type: ignore[import-not-found]  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(ModuleNotFoundError, match="mlflow"):
            open_logs(["mlflow"], tmp_path, "train-net-fold-0")
