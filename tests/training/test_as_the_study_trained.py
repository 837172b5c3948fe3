"""Keys that let a network learn as the reference study's did: minority copied, none mirrored, the last epoch kept."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import balanced_order
from gliobench.models.networks.input import as_input
from gliobench.models.trained import read_description
from gliobench.training import fit
from gliobench.training.examples import batches, draws_an_epoch, steps_an_epoch
from gliobench.training.fit import fit_network
from gliobench.training.goals import make_goal
from gliobench.training.job import Job
from gliobench.training.settings import TrainSettings, recipe, recorded

SHAPE = (2, 3, 4)
CLASSIFIER = recipe("grade-classifier")


def patient(id: str, grade: int | None, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> PreparedSubject:
    """Noise with no two sides alike, and one voxel of tumour."""
    image = np.random.default_rng(seed).integers(1, 256, (4, *shape)).astype(np.uint8)
    labels = np.zeros(shape, np.uint8)
    labels[0, 0, 0] = 1
    return PreparedSubject(id, grade, image, labels, np.eye(4), np.eye(4), shape[::-1], False, id)


def job(patients: list[PreparedSubject], settings: TrainSettings) -> Job:
    goal = make_goal("grade", (), settings)
    return Job("grade-classifier", "whole", patients, [], Path(), settings, goal, None)


def test_an_epoch_of_the_studys_fold_is_392_draws() -> None:
    """Fold 0 trains on 196 HGG and 52 LGG; the minority is copied up to the majority: 2 x 196."""
    patients = [patient(f"H{n}", 1) for n in range(196)] + [patient(f"L{n}", 0) for n in range(52)]
    as_study = job(patients, replace(CLASSIFIER, balance_grades="copies", batch_size=16))
    assert draws_an_epoch(as_study) == 392
    assert steps_an_epoch(as_study, 1) == 25  # 24.5
    assert draws_an_epoch(job(patients, CLASSIFIER)) == 248


def test_copies_leave_nobody_out_and_copy_the_rarer_grade_evenly() -> None:
    grades = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "x": 0, "y": 0, "u": None}
    counts = Counter(balanced_order(list(grades), grades, np.random.default_rng(0), 11))
    assert {id: counts[id] for id in "abcdeu"} == dict.fromkeys("abcdeu", 1)
    assert sorted((counts["x"], counts["y"])) == [2, 3]
    graded = job(
        [patient(id, grade) for id, grade in grades.items() if id != "u"], replace(CLASSIFIER, balance_grades="copies")
    )
    assert draws_an_epoch(graded) == 10
    assert torch.cat([targets for _, targets in batches(graded, 0)]).sum() == 5  # of 10
    assert sum(len(targets) for _, targets in batches(graded, 0)) == 10


@pytest.mark.parametrize(("mirror", "mirrored"), [(True, {False, True}), (False, {False})])
def test_nothing_is_mirrored_where_that_is_asked(mirror: bool, mirrored: set[bool]) -> None:
    one = patient("a", 1)
    straight = as_input(one.image)
    seen = set()
    for epoch in range(20):
        ((images, _),) = batches(job([one], replace(CLASSIFIER, mirror=mirror)), epoch)
        turned = torch.equal(images[0], straight.flip(-1))
        assert turned or torch.equal(images[0], straight)
        seen.add(turned)
    assert seen == mirrored


@pytest.mark.parametrize(("keep", "kept"), [("best", 1), ("last", 3)])
def test_the_last_epoch_is_kept_where_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, kept: int
) -> None:
    said = iter((0.3, 0.9, 0.4, 0.2))
    monkeypatch.setattr(fit, "_validate", lambda job, learner: (0.5, next(said)))
    patients = [patient(f"P{n}", n % 2, n, (16, 16, 16)) for n in range(4)]
    settings = replace(recipe("mask-segmenter"), epochs=4, patience=2, keep=keep)
    found = read_description(fit_network("mask-segmenter", patients[:2], patients[2:], tmp_path, settings))
    assert (found["best_epoch"], found["epochs_trained"]) == (kept, 4)


def test_trainings_of_before_stay_valid_and_others_do_not() -> None:
    before = {key: value for key, value in asdict(CLASSIFIER).items() if key not in ("mirror", "keep")}
    assert recorded(CLASSIFIER) == before
    digests = {
        hashlib.sha256(json.dumps(recorded(replace(CLASSIFIER, **other))).encode()).hexdigest()
        for other in ({}, {"mirror": False}, {"keep": "last"}, {"balance_grades": "copies"})
    }
    assert len(digests) == 4
