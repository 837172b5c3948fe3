"""Networks learn, are judged on validation patients alone, and go on after a stop as if there had been none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.networks.description import WEIGHTS, read_description
from gliobench.models.networks.inference import drop_small
from gliobench.models.networks.input import as_input
from gliobench.models.networks.trained import load_network
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.training import fit
from gliobench.training import objectives as objectives
from gliobench.training.augment import augmented, cut_patch
from gliobench.training.decisions import LARGEST_ALONE, decide_region
from gliobench.training.errors import DivergedError
from gliobench.training.fit import EpochReport, TrainSettings, fit_network
from gliobench.training.objectives import THRESHOLDS, dice_by_threshold, make_objective
from gliobench.training.schedule import learning_rate
from gliobench.training.settings import recipe

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


PLAIN = recipe("mask-segmenter")


class StopError(Exception):
    """Stands for a kill at the end of an epoch."""


def stop_after(epoch: int):  # type: ignore[no-untyped-def]
    def progress(report: EpochReport) -> None:
        if report.epoch == epoch:
            raise StopError

    return progress


@pytest.mark.parametrize("network", ["mask-segmenter", "grade-classifier", "dynunet"])
def test_a_stopped_training_ends_with_the_same_weights(tmp_path: Path, network: str) -> None:
    settings = replace(recipe(network), epochs=5, learning_rate=3e-3, batch_size=2, patience=9)
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


@pytest.mark.parametrize("damaged", ["last.safetensors", WEIGHTS])
def test_a_stopped_training_does_not_go_on_from_damaged_weights(
    tmp_path: Path, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(recipe("grade-classifier"), epochs=3, learning_rate=3e-3, patience=9)
    whole = fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path / "whole", settings)
    with pytest.raises(StopError):
        fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path / "stopped", settings, stop_after(1))
    path = tmp_path / "stopped" / damaged
    data = bytearray(path.read_bytes())
    data[-2] ^= 64  # in the numbers: the file reads as well as before
    path.write_bytes(data)
    reports: list[EpochReport] = []
    fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path / "stopped", settings, reports.append)
    assert f"{path} is damaged" in caplog.text
    assert [report.epoch for report in reports] == [0, 1, 2]
    expected, found = load_file(whole / WEIGHTS), load_file(tmp_path / "stopped" / WEIGHTS)
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_weights_are_those_that_were_learnt_or_nobody_is_asked(tmp_path: Path) -> None:
    """Wherever the folder lies: it carries its checksums along."""
    settings = replace(recipe("grade-classifier"), epochs=1)
    out = fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path / "one", settings)
    other = fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path / "two", replace(settings, seed=5))
    weights, description = (out / WEIGHTS).read_bytes(), (out / "network.json").read_text()
    (out / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
    with pytest.raises(ModelError, match=r"network\.safetensors .*checksum"):
        load_network([out], "n")
    (out / WEIGHTS).write_bytes(weights)
    (out / "network.json").write_text(description.replace('"threshold": 0.5', '"threshold": 0.6'))
    with pytest.raises(ModelError, match=r"network\.json .*checksum"):
        load_network([out], "n")
    (out / "network.json").write_text(description)
    assert load_network([out], "n").threshold == 0.5


def test_two_processes_learn_what_one_learns_from_batches_of_two(tmp_path: Path) -> None:
    plain = replace(PLAIN, epochs=2, learning_rate=3e-3, device="cpu")
    reports: list[EpochReport] = []
    one = fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path / "one", replace(plain, batch_size=2))
    two = fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path / "two", replace(plain, devices=2), reports.append)
    assert [report.epoch for report in reports] == [0, 1]
    expected, found = load_file(one / WEIGHTS), load_file(two / WEIGHTS)
    for name, tensor in expected.items():
        assert torch.allclose(tensor, found[name], atol=1e-5), name
    assert [subject.id for subject in TRAIN + VALIDATION] == read_description(two)["trained_on"]


def test_other_settings_do_not_take_up_a_stopped_training(tmp_path: Path) -> None:
    with pytest.raises(StopError):
        fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, replace(PLAIN, epochs=3), stop_after(1))
    fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, replace(PLAIN, epochs=1, learning_rate=1e-4))
    assert len(pd.read_csv(tmp_path / "curves.csv")) == 1


def test_the_segmenter_finds_the_ball_in_a_patient_it_never_saw(tmp_path: Path) -> None:
    settings = replace(PLAIN, epochs=60, learning_rate=5e-3, patience=60)
    model = load_network([fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, settings)], "net")
    unseen = patient(9)
    (prediction,) = model.predict([Question(unseen, "mask", None)])
    assert isinstance(prediction.answer, Answered)
    assert isinstance(prediction.answer.value, VolumeMask)
    found, truth = prediction.answer.value.voxels, unseen.tumour
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.7


def test_the_epoch_with_the_best_validation_metric_is_kept(tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    # Steps of this size overshoot, so the last epoch is not the best.
    settings = replace(recipe("grade-classifier"), epochs=8, learning_rate=0.01, batch_size=1, patience=8, seed=2)
    out = fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path, settings, reports.append)
    best = max(report.validation_metric for report in reports)
    assert best > reports[-1].validation_metric
    (member,) = load_network([out], "net").members
    logits = [member.module(_input(subject))[0, 0] for subject in VALIDATION]
    targets = torch.tensor([float(subject.grade or 0) for subject in VALIDATION])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.stack(logits), targets)
    assert -loss.item() == pytest.approx(best, rel=1e-4)


def test_training_stops_when_patience_is_out(tmp_path: Path) -> None:
    settings = replace(recipe("grade-classifier"), epochs=50, learning_rate=0.05, batch_size=1, patience=2, seed=1)
    reports: list[EpochReport] = []
    fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path, settings, reports.append)
    metrics = [report.validation_metric for report in reports]
    assert len(metrics) == int(np.argmax(metrics)) + 3


@pytest.mark.parametrize(
    ("evaluated", "patience", "best", "trained"),
    [
        ((0.9, 0.3, 0.4, 0.35), 9, 1, 8),
        ((0.3, 0.9, 0.4, 0.35), 9, 3, 8),
        ((0.9, 0.3, 0.4, 0.35), 1, 1, 4),  # not before the second judgement
        ((0.9, 0.3, 0.4, 0.35), 3, 1, 6),
        ((float("nan"), 0.3, 0.4, 0.35), 9, 5, 8),
    ],
)
def test_judgements_are_compared_whenever_they_come(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    evaluated: tuple[float, ...],
    patience: int,
    best: int,
    trained: int,
) -> None:
    said = iter(evaluated)
    monkeypatch.setattr(fit, "_validate", lambda job, learner: fit._Evaluation(0.5, next(said), 0.5))
    settings = replace(PLAIN, epochs=8, validate_every=2, patience=patience)
    found = read_description(fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, settings))
    assert (found["best_epoch"], found["epochs_trained"]) == (best, trained)
    assert found["validation_metric"] == evaluated[best // 2]


def test_accuracy_and_dice_of_hand_made_logits() -> None:
    called = torch.tensor([[2.0], [-1.0], [0.5], [-3.0]])
    assert objectives.accuracy(called, torch.tensor([[1.0], [1.0], [0.0], [0.0]])) == 0.5
    logits = torch.full((2, 1, 1, 2, 2), -1.0)
    logits[0, 0, 0, 0] = 1.0  # two voxels, one of them right: 2 x 1 / (2 + 1)
    truth = torch.zeros(2, 1, 1, 2, 2)
    truth[0, 0, 0, 0, 0] = 1.0
    assert objectives.dice(logits, truth) == pytest.approx(
        (2 / 3 + 1) / 2
    )  # the second patient: nothing there, none found
    heads = torch.stack([logits, -logits], dim=1)  # deep supervision: the first head is the finest
    assert objectives.dice(heads, truth) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(("network", "score"), [("mask-segmenter", "dice"), ("grade-classifier", "accuracy")])
def test_curves_have_the_figure_of_both_parts_as_the_weights_of_that_epoch_give_it(
    tmp_path: Path, network: str, score: str
) -> None:
    settings = replace(recipe(network), epochs=3, learning_rate=3e-3, ema=0.0, keep="last")
    out = fit_network(network, TRAIN, VALIDATION, tmp_path, settings)
    table = pd.read_csv(out / "curves.csv")
    assert table[[f"train_{score}", f"validation_{score}"]].stack().between(0, 1).all()
    (member,) = load_network([out], "it").members
    found = []
    for subject in VALIDATION:
        probability = torch.sigmoid(member.module(as_input(subject.image)[None]))[0].detach().numpy()
        if score == "accuracy":
            found.append(float((probability[0] >= 0.5) == subject.grade))
        else:
            marked = probability[0] >= 0.5
            found.append(2 * (marked & subject.tumour).sum() / (marked.sum() + subject.tumour.sum()))
    assert table[f"validation_{score}"].iloc[-1] == pytest.approx(np.mean(found), abs=1e-6)


def test_the_last_epoch_is_judged_and_an_ended_training_is_left_alone(tmp_path: Path) -> None:
    settings = replace(PLAIN, epochs=2, validate_every=5)
    out = fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, settings)
    assert read_description(out)["best_epoch"] == 1
    fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, settings, stop_after(0))  # no epoch comes


def test_another_trainings_network_is_gone_when_one_begins(tmp_path: Path) -> None:
    fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, replace(PLAIN, epochs=1))
    with pytest.raises(StopError):
        fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, replace(PLAIN, validate_every=2), stop_after(0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.csv", "last.safetensors"]


@pytest.mark.parametrize("network", ["mask-segmenter", "grade-classifier"])
def test_a_training_that_diverges_says_so_and_leaves_nothing_to_go_on_from(tmp_path: Path, network: str) -> None:
    settings = replace(recipe(network), epochs=3, learning_rate=1e18)
    with pytest.raises(DivergedError, match=r"learning_rate.*curves\.csv"):
        fit_network(network, TRAIN, VALIDATION, tmp_path, settings)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.csv"]


def test_a_patient_on_both_sides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="P0: "):
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
    assert dice_by_threshold(logits, target) == pytest.approx(by_hand)


def test_a_network_is_not_asked_about_a_patient_that_it_was_trained_on(tmp_path: Path) -> None:
    out = fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, replace(PLAIN, epochs=1))
    for seen in (TRAIN[0], VALIDATION[0]):
        with pytest.raises(ModelError, match=f" 1 .*{seen.id}; leakage"):
            list(load_network([out], "net").predict([Question(seen, "mask", None)]))


def test_networks_answer_together_by_their_mean_probability(tmp_path: Path) -> None:
    """What the mean of two is, worked out from the two apart."""
    grades = replace(recipe("grade-classifier"), epochs=2, learning_rate=1e-3)
    folders = [
        fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path / str(seed), replace(grades, seed=seed))
        for seed in (0, 1)
    ]
    question = Question(patient(9), "grade", None)
    apart = [next(load_network([folder], "net").predict([question])).score for folder in folders]
    (both,) = load_network(folders, "net").predict([question])
    assert apart[0] != apart[1]
    assert both.score == pytest.approx(np.mean([score for score in apart if score is not None]))


def test_regions_are_learnt_together_and_nested(tmp_path: Path) -> None:
    settings = replace(recipe("dynunet"), epochs=3)
    out = fit_network("dynunet", TRAIN, VALIDATION, tmp_path, settings, regions="brats")
    (prediction,) = load_network([out], "net").predict([Question(patient(9), "mask", None)])
    assert isinstance(prediction.answer, Answered)
    value = prediction.answer.value
    assert isinstance(value, VolumeMask)
    assert value.core is not None
    assert value.enhancing is not None
    assert not (value.core & ~value.voxels).any()
    assert not (value.enhancing & ~value.core).any()


def test_a_window_slides_over_a_patient_larger_than_the_patch(tmp_path: Path) -> None:
    settings = replace(PLAIN, epochs=40, learning_rate=5e-3, patience=40, patch=(12, 16, 16))
    model = load_network([fit_network("mask-segmenter", TRAIN, VALIDATION, tmp_path, settings)], "net")
    unseen = patient(9)
    (prediction,) = model.predict([Question(unseen, "mask", None)])
    found, truth = prediction.answer.value.voxels, unseen.tumour  # type: ignore[union-attr]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.7


def test_the_learning_rate_rises_and_falls() -> None:
    settings = TrainSettings(epochs=10, learning_rate=1.0, warmup_epochs=2, schedule="cosine")
    # Five steps an epoch: ten of warm-up, forty down half a cosine.
    assert learning_rate(settings, 0, 5) == pytest.approx(0.1)
    assert learning_rate(settings, 9, 5) == pytest.approx(1.0)
    assert learning_rate(settings, 10, 5) == pytest.approx(1.0)
    assert learning_rate(settings, 30, 5) == pytest.approx(0.5)
    assert learning_rate(replace(settings, schedule="poly"), 30, 5) == pytest.approx(0.5**0.9)
    assert learning_rate(replace(settings, schedule="constant"), 49, 5) == 1.0


def test_a_variant_is_decided_by_its_seed_and_keeps_image_and_mask_together() -> None:
    mask = torch.zeros(1, *SHAPE)
    mask[0, 6:10, 8:15, 10:18] = 1
    image = mask.expand(4, *SHAPE) * 50  # so bright that neither noise nor shift hides it
    for seed in range(6):
        changed, moved = augmented(image, mask, seed)
        again, _ = augmented(image, mask, seed)
        assert torch.equal(changed, again)
        assert moved is not None
        both = ((changed.mean(dim=0) > 25) & (moved[0] > 0)).sum()
        assert 2 * both / ((changed.mean(dim=0) > 25).sum() + moved.sum()) > 0.8
    assert not torch.equal(augmented(image, mask, 0)[0], augmented(image, mask, 1)[0])


def test_two_of_three_patches_hold_tumour() -> None:
    mask = torch.zeros(1, *SHAPE)
    mask[0, 0, 0, 0] = 1  # in the corner: a patch drawn at random rarely holds it
    image = torch.arange(np.prod(SHAPE), dtype=torch.float32).reshape(1, *SHAPE)
    cuts = [cut_patch(image, mask, (8, 8, 8), seed) for seed in range(300)]
    assert all(cut.shape == (1, 8, 8, 8) for cut, _ in cuts)
    assert np.mean([bool(held.any()) for _, held in cuts]) == pytest.approx(2 / 3, abs=0.08)
    assert all(bool(held.any()) == bool((cut == 0).any()) for cut, held in cuts)


def test_deep_supervision_weighs_each_head_half_of_the_one_before() -> None:
    objective = make_objective("mask", ("whole",), TrainSettings(loss="dice-bce"))
    target = (torch.rand(1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    fine, coarse = torch.zeros(1, 1, 4, 4, 4), torch.full((1, 1, 4, 4, 4), 2.0)
    heads = objective.loss(torch.stack([fine, coarse], dim=1), target)
    assert heads.item() == pytest.approx(
        ((objective.loss(fine, target) + 0.5 * objective.loss(coarse, target)) / 1.5).item()
    )


def ball(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A tumour of 1,000 voxels found with 0.8, and a streak of 18 voxels (180 mm3 at 10 mm3) that is not there."""
    truth = np.zeros((20, 20, 20), bool)
    truth[5:15, 5:15, 5:15] = True
    probability = np.where(truth, 0.8, 0.1).astype(np.float32)
    probability[0, number, :18] = 0.8
    return probability, truth


def test_small_parts_are_dropped_where_that_helps_on_validation() -> None:
    probability, truth = zip(*(ball(number) for number in range(3)), strict=True)
    decision = decide_region(probability, truth, [10.0] * 3)
    assert decision.threshold == 0.5
    assert decision.smallest_mm3 == 1000  # the streak has 180 mm3, the tumour 10,000: no need to keep the largest alone


def test_a_second_tumour_is_not_dropped() -> None:
    probability, truth = ball(0)
    probability[0, 0, :18] = 0.1
    probability[17:20, 17:20, 17:20] = 0.8  # 27 voxels, 270 mm3
    truth[17:20, 17:20, 17:20] = True
    assert decide_region([probability] * 3, [truth] * 3, [10.0] * 3).smallest_mm3 == 0


def test_the_largest_part_always_stays() -> None:
    mask = np.zeros((6, 6, 6), bool)
    mask[0, 0, 0] = mask[3:5, 3:5, 3:5] = True
    assert drop_small(mask, LARGEST_ALONE).sum() == 8
    assert drop_small(mask, 2).sum() == 8
    assert drop_small(mask, 0).sum() == 9


def test_a_threshold_leaves_one_half_only_where_every_patient_says_so() -> None:
    _, truth = ball(0)
    low = np.where(truth, 0.3, 0.1).astype(np.float32)  # found, but never with one half
    assert decide_region([low] * 3, [truth] * 3, [10.0] * 3).threshold == 0.3
    # One of three would gain from a lower threshold, the others lose a little: no reason to leave one half.
    wide = np.where(truth, 0.9, 0.1).astype(np.float32)
    wide[4, 5:15, 5:15] = 0.4
    assert decide_region([low, wide, wide], [truth] * 3, [10.0] * 3).threshold == 0.5


def _input(subject: PreparedSubject) -> torch.Tensor:
    from gliobench.models.networks.input import as_input

    return as_input(subject.image)[None]
