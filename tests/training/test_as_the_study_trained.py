"""Keys that let a network learn as the reference study's did: minority copied, none mirrored, the last epoch kept."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.operating_point import OperatingPoint
from gliobench.models.base.prediction import Question
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.description import read_description
from gliobench.models.networks.input import as_input
from gliobench.models.networks.trained import load_network
from gliobench.study.config.study import read_study
from gliobench.study.kinds.network import NetworkConfig, TrainConfig
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.training import fit
from gliobench.training.balance import balanced_order
from gliobench.training.examples import batches, draws_an_epoch, steps_an_epoch
from gliobench.training.fit import fit_network
from gliobench.training.job import Job
from gliobench.training.objectives import make_objective
from gliobench.training.settings import TrainSettings, recipe, recorded

STUDY = Path(__file__).parents[2] / "studies" / "brats2020.yaml"
SHAPE = (2, 3, 4)
CLASSIFIER = recipe("grade-classifier")


def patient(id: str, grade: int | None, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> PreparedSubject:
    """Noise with no two sides alike, and one voxel of tumour."""
    image = np.random.default_rng(seed).integers(1, 256, (4, *shape)).astype(np.uint8)
    labels = np.zeros(shape, np.uint8)
    labels[0, 0, 0] = 1
    return PreparedSubject(id, grade, image, labels, np.eye(4), np.eye(4), shape[::-1], False, id)


def job(patients: list[PreparedSubject], settings: TrainSettings) -> Job:
    objective = make_objective("grade", (), settings)
    return Job("grade-classifier", "whole", patients, [], Path(), settings, objective, None)


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
    monkeypatch.setattr(fit, "_validate", lambda job, learner: fit._Evaluation(0.5, next(said), 0.5))
    patients = [patient(f"P{n}", n % 2, n, (16, 16, 16)) for n in range(4)]
    settings = replace(recipe("mask-segmenter"), epochs=4, patience=2, keep=keep)
    found = read_description(fit_network("mask-segmenter", patients[:2], patients[2:], tmp_path, settings))
    assert (found["best_epoch"], found["epochs_trained"]) == (kept, 4)


def test_trainings_of_before_stay_valid_and_others_do_not() -> None:
    later = ("mirror", "keep", "intensities", "threshold")
    before = {key: value for key, value in asdict(CLASSIFIER).items() if key not in later}
    assert recorded(CLASSIFIER) == before
    digests = {
        hashlib.sha256(json.dumps(recorded(replace(CLASSIFIER, **other))).encode()).hexdigest()
        for other in (
            {},
            {"mirror": False},
            {"keep": "last"},
            {"balance_grades": "copies"},
            {"intensities": "prepared"},
            {"threshold": 0.5},
            {"threshold": 0.6},
        )
    }
    assert len(digests) == 7
    unset = NetworkConfig(kind="network", name="n", network="grade-classifier").model_dump()
    assert not {"intensities", "threshold"} & set(unset["train"])


def test_the_studys_threshold_is_of_a_sigmoid_taken_twice() -> None:
    """Its code asks sigmoid(sigmoid(x)) > 0.7, so sigmoid(x) > logit(0.7) = ln(7 / 3), which a study file gives."""
    (part,) = [
        one for one in read_study(STUDY).models if isinstance(one, NetworkConfig) and one.name == "study-segmenter"
    ]
    assert part.train.threshold == pytest.approx(np.log(7 / 3), abs=1e-6) == pytest.approx(0.847298, abs=1e-6)
    # logit(0.847298) = ln(0.847298 / 0.152702) = 1.71358
    x = torch.tensor([1.7134, 1.7137], dtype=torch.float64)
    assert (torch.sigmoid(torch.sigmoid(x)) > 0.7).tolist() == [False, True]
    assert (torch.sigmoid(x) >= part.train.threshold).tolist() == [False, True]


@pytest.mark.parametrize("network", ["mask-segmenter", "grade-classifier"])
def test_a_given_threshold_is_kept_and_nothing_is_chosen_on_validation_patients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    def asked(*arguments: object) -> None:
        raise AssertionError("validation patients were asked")

    monkeypatch.setattr(fit, "decide_region", asked)
    monkeypatch.setattr(fit, "learn_operating_point", asked)
    patients = [patient(f"P{n}", n % 2, n, (16, 16, 16)) for n in range(4)]
    settings = replace(recipe(network), epochs=1, batch_size=2, threshold=0.847298, intensities="prepared")
    out = fit_network(network, patients[:2], patients[2:], tmp_path, settings)
    description = read_description(out)
    assert [OperatingPoint(**one) for one in description["decisions"]] == [OperatingPoint(threshold=0.847298)]
    loaded = load_network([out], "n")
    (member,) = loaded.members
    assert (member.intensities, loaded.threshold) == ("prepared", 0.847298)
    with torch.inference_mode():
        logits = member.module(
            torch.from_numpy(patients[2].image / np.float32(255))[None].to(next(member.module.parameters()).device)
        )
    question = Question(replace(patients[2], id="new", patient="new"), NETWORKS[network].task, None)
    (found,) = loaded.predict([question])
    if network == "grade-classifier":
        assert found.score == pytest.approx(torch.sigmoid(logits).item(), abs=1e-5)
    else:
        assert isinstance(found.answer, Answered)
        assert isinstance(found.answer.value, VolumeMask)
        assert np.array_equal(found.answer.value.voxels, torch.sigmoid(logits)[0, 0].cpu().numpy() >= 0.847298)


def test_dice_of_an_epoch_is_at_the_given_threshold() -> None:
    """Probabilities 0.9, 0.6, 0.4, 0.2, of which the first two are tumour: from 0.7 on Dice 2 x 1 / (1 + 2)."""
    target = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    logits = torch.logit(torch.tensor([0.9, 0.6, 0.4, 0.2])).reshape(1, 1, 2, 2)
    evaluated = [
        make_objective("mask", ("whole",), replace(recipe("mask-segmenter"), threshold=threshold)).judge(
            [logits], [target]
        )
        for threshold in (0.7, None)
    ]
    assert evaluated == pytest.approx([2 / 3, 1.0])


def test_augmentation_and_prepared_intensities_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match="give `augment: false`, or leave out `intensities`"):
        NetworkConfig(kind="network", name="n", network="dynunet", train=TrainConfig(intensities="prepared"))
