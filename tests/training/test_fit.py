"""Networks learn, are judged on validation patients alone, and go on after a stop as if there had been none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.prediction import Question
from gliobench.models.trained import WEIGHTS, load_network
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.training.fit import EpochReport, TrainSettings, fit_network
from gliobench.training.goals import THRESHOLDS, _dice_by_threshold

SHAPE = (16, 24, 28)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def patient(number: int) -> PreparedSubject:
    """A grey brain with a bright ball; the ball of an HGG is larger."""
    random = np.random.default_rng(number)
    grade = number % 2
    middle = random.uniform((6, 7, 7), (10, 17, 21))
    places = np.stack(np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij"), axis=-1)
    tumour = np.linalg.norm(places - middle, axis=-1) < (6 if grade else 4.5)
    image = (random.normal(90, 8, (4, *SHAPE)) + 100 * tumour).clip(1, 255).astype(np.uint8)
    return PreparedSubject(
        f"P{number}", grade, image, tumour.astype(np.uint8), AFFINE, AFFINE, (28, 24, 16), False, f"content {number}"
    )


PATIENTS = [patient(number) for number in range(8)]
TRAIN, VALIDATION = PATIENTS[:6], PATIENTS[6:]


class StopError(Exception):
    """Stands for a kill at the end of an epoch."""


def stop_after(epoch: int):  # type: ignore[no-untyped-def]
    def progress(report: EpochReport) -> None:
        if report.epoch == epoch:
            raise StopError

    return progress


@pytest.mark.parametrize("network", ["mask-segmenter", "grade-classifier"])
def test_a_stopped_training_ends_with_the_same_weights(tmp_path: Path, network: str) -> None:
    settings = TrainSettings(epochs=5, learning_rate=3e-3, batch_size=2, patience=9)
    whole = fit_network(network, TRAIN, VALIDATION, tmp_path / "whole", settings)
    for epoch in (0, 2):
        with pytest.raises(StopError):
            fit_network(network, TRAIN, VALIDATION, tmp_path / "stopped", settings, stop_after(epoch))
    stopped = fit_network(network, TRAIN, VALIDATION, tmp_path / "stopped", settings)
    expected, found = load_file(whole / WEIGHTS), load_file(stopped / WEIGHTS)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    assert (whole / "curves.csv").read_bytes() == (stopped / "curves.csv").read_bytes()
    assert not (stopped / "last.safetensors").exists()


def test_other_settings_do_not_take_up_a_stopped_training(tmp_path: Path) -> None:
    with pytest.raises(StopError):
        fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, TrainSettings(epochs=3), stop_after(1))
    fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, TrainSettings(epochs=1, learning_rate=1e-4))
    assert len(pd.read_csv(tmp_path / "curves.csv")) == 1


def test_the_segmenter_finds_the_ball_in_a_patient_it_never_saw(tmp_path: Path) -> None:
    settings = TrainSettings(epochs=60, learning_rate=5e-3, patience=60, oversample=False)
    model = load_network(fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, settings))
    unseen = patient(9)
    (prediction,) = model.predict([Question(unseen, "mask", None)])
    assert isinstance(prediction.answer, Answered)
    assert isinstance(prediction.answer.value, VolumeMask)
    found, truth = prediction.answer.value.voxels, unseen.tumour
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.7


def test_the_epoch_with_the_best_validation_metric_is_kept(tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    # Steps of this size overshoot, so the last epoch is not the best.
    settings = TrainSettings(epochs=8, learning_rate=0.01, patience=8, seed=2)
    out = fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path, settings, reports.append)
    best = max(report.validation_metric for report in reports)
    assert best > reports[-1].validation_metric
    model = load_network(out)
    logits = [model.module(_input(subject))[0] for subject in VALIDATION]
    targets = torch.tensor([float(subject.grade or 0) for subject in VALIDATION])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.stack(logits), targets)
    assert -loss.item() == pytest.approx(best, rel=1e-4)


def test_training_stops_when_patience_is_out(tmp_path: Path) -> None:
    settings = TrainSettings(epochs=50, learning_rate=0.05, patience=2, seed=1)
    reports: list[EpochReport] = []
    fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path, settings, reports.append)
    metrics = [report.validation_metric for report in reports]
    assert len(metrics) == int(np.argmax(metrics)) + 3


def test_a_patient_on_both_sides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="P0: in training and in validation"):
        fit_network("mask-segmenter", TRAIN, [PATIENTS[0]], tmp_path, TrainSettings())


def test_dice_by_threshold_is_dice() -> None:
    random = np.random.default_rng(0)
    logits, target = (
        torch.from_numpy(random.normal(size=200)).float(),
        torch.from_numpy(random.random(200) > 0.7).float(),
    )
    probability = torch.sigmoid(logits)
    by_hand = [
        2 * float(((probability >= t) * target).sum()) / float((probability >= t).sum() + target.sum())
        for t in THRESHOLDS
    ]
    assert _dice_by_threshold(logits, target) == pytest.approx(by_hand)


def _input(subject: PreparedSubject) -> torch.Tensor:
    from gliobench.models.networks import as_input

    return as_input(subject.image)[None]
