"""The classical grade baseline: features and thresholds by hand, and a fit that learns what is there."""

from dataclasses import replace

import numpy as np
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.classical.features import find_features, region_mask
from gliobench.models.classical.grade import describe, fit_grader
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import Grade

AFFINE = np.diag([2.0, 1.0, 0.5, 1.0])


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here does not need a large forest."""
    monkeypatch.setattr("gliobench.models.classical.grade.TREES", 20)


def patient(id: str, grade: int | None, enhancing: int, seed: int = 0) -> PreparedSubject:
    """A (12, 16, 16) brain around 100 with a tumour of 4 x 6 x 8 voxels, in which t1ce is `enhancing` brighter."""
    random = np.random.default_rng([seed, len(id), *id.encode()])
    image = random.normal(100, 8, (4, 12, 16, 16))
    labels = np.zeros((12, 16, 16), np.uint8)
    labels[4:8, 5:11, 4:12] = 1
    image[2][labels > 0] += enhancing
    grey = image.clip(1, 255).astype(np.uint8)
    return PreparedSubject(id, grade, grey, labels, AFFINE, AFFINE, (16, 16, 12), False, f"{id}-{grade}-{enhancing}")


def patients(count: int, name: str) -> list[PreparedSubject]:
    return [patient(f"{name}{n}", n % 2, 40 if n % 2 else 0) for n in range(count)]


def test_shape_of_a_box_by_hand() -> None:
    subject = patient("A", 1, 0)
    found = find_features(subject, subject.tumour)
    assert found["region volume mm3"] == 4 * 6 * 8  # voxels of 2 x 1 x 0.5 mm
    assert [found[f"region extent {axis}"] for axis in "dhw"] == [8, 6, 4]
    assert found["region filled"] == 1
    # A row of n equally spaced points has variance s²(n²-1)/12 (here of the sample, n/(n-1) of all 192): 4 sd.
    longest = 4 * np.sqrt(2.0**2 * (4**2 - 1) / 12 * 192 / 191)
    assert found["region axis 3"] == pytest.approx(longest)


def test_a_patient_is_described_once_and_every_change_of_him_anew() -> None:
    subject = patient("A", 1, 0)
    rows = describe(subject, "truth")
    assert rows.tolist() == list(find_features(subject, subject.tumour).values())
    assert describe(replace(subject, id="B"), "truth") is rows  # not by the name, nor by the digest of his files
    labels, image = subject.labels.copy(), subject.image.copy()
    labels[3, 5, 4], image[0, 4, 5, 4] = 1, image[0, 4, 5, 4] ^ 64
    coarser = replace(subject, affine=AFFINE * [2, 2, 2, 1])
    others = [replace(subject, labels=labels), replace(subject, image=image), coarser]
    assert all(describe(other, "truth").tolist() != rows.tolist() for other in others)
    assert describe(subject, "brain").tolist() != rows.tolist()


def test_sphericity_of_a_ball_is_near_one_and_above_a_boxes() -> None:
    places = np.indices((24, 24, 24)) - 11.5
    ball = (places**2).sum(axis=0) < 10**2
    image = np.full((4, 24, 24, 24), 100, np.uint8)
    subject = PreparedSubject("B", 1, image, None, np.eye(4), np.eye(4), (24, 24, 24), False, "B")
    found = find_features(subject, ball)
    assert found["region sphericity"] == pytest.approx(1, abs=0.1)
    assert found["region volume mm3"] == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.02)
    rod = np.zeros_like(ball)
    rod[:, 10:14, 10:14] = True
    # Marching cubes cuts the edges of a 24 x 4 x 4 box at 45 degrees: two faces of 3 x 3, four of 3 x 23, bevels of
    # sqrt(1/2) along 4 x 23 + 8 x 3, and eight corners that are equilateral triangles of that side.
    bevel = np.sqrt(0.5)
    surface = 2 * 9 + 4 * 69 + 116 * bevel + 8 * np.sqrt(3) / 4 * bevel**2
    found = find_features(subject, rod)
    assert found["region surface mm2"] == pytest.approx(surface, rel=1e-5)
    assert found["region sphericity"] == pytest.approx(np.pi ** (1 / 3) * (6 * 384) ** (2 / 3) / surface, rel=1e-5)


def test_intensities_by_hand() -> None:
    image = np.full((4, 4, 4, 4), 100, np.uint8)
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1:3, 1:3] = 1  # 16 voxels
    image[2, 1:3, 1:3, :2] = 150  # half of them enhance by 50
    subject = PreparedSubject("C", 1, image, labels, np.eye(4), np.eye(4), (4, 4, 4), False, "C")
    found = find_features(subject, subject.tumour)
    assert found["t1ce mean"] == 125
    assert found["t1ce sd"] == 25
    assert found["t1ce-t1 p99"] == 50
    assert found["enhancing above 40"] == 0.5
    assert found["enhancing above 60"] == 0
    assert found["t1 skew"] == 0
    assert np.isnan(found["flair~t1"]), "a constant has no correlation"


def test_a_dark_core_in_a_bright_rim_shows_in_the_shells() -> None:
    places = np.indices((21, 21, 21)) - 10
    depth = np.abs(places).max(axis=0)
    image = np.full((4, 21, 21, 21), 100, np.uint8)
    image[2][depth <= 3] = 50
    image[2][(depth > 5) & (depth <= 6)] = 200
    subject = PreparedSubject("D", 1, image, None, np.eye(4), np.eye(4), (21, 21, 21), False, "D")
    found = find_features(subject, depth <= 6)
    assert found["t1ce shell 0"] == 200
    assert found["t1ce core-rim"] < -100


def test_names_do_not_depend_on_the_patient_and_no_region_is_nan_not_a_crash() -> None:
    subject = patient("E", None, 0)
    nothing = find_features(subject, np.zeros(subject.shape, bool))
    assert list(nothing) == list(find_features(subject, region_mask(subject, "crop")))
    assert nothing["region volume mm3"] == 0
    assert np.isnan(nothing["t1ce mean"])


def test_labels_and_grade_are_not_looked_at() -> None:
    subject = patient("F", 1, 40)
    blind = replace(subject, labels=None, grade=None)
    crop = region_mask(subject, "crop")
    np.testing.assert_equal(find_features(blind, crop), find_features(subject, crop))


@pytest.mark.parametrize("region", ["truth", "crop", "brain"])
def test_it_learns_that_enhancing_tumours_are_high_grade(region: str) -> None:
    model = fit_grader("radiomics", region, patients(24, "train"), patients(8, "validation"))  # type: ignore[arg-type]
    predictions = list(model.predict([Question(one, "grade", None) for one in patients(10, "test")]))
    assert [p.answer for p in predictions] == [Answered(Grade(p.question.subject.grade or 0)) for p in predictions]
    assert all(p.score is not None and 0 < p.score < 1 for p in predictions)
    assert model.settings["calibrated_on"] == "validation and out-of-fold training"


def test_the_same_patients_give_the_same_probabilities() -> None:
    question = [Question(patient("test", 1, 17), "grade", None)]
    scores = []
    for _ in range(2):
        model = fit_grader("radiomics", "truth", patients(12, "train"), patients(4, "validation"))
        scores.append([prediction.score for prediction in model.predict(question)])
    assert scores[0] == scores[1]


def test_another_seed_is_another_model_and_says_so() -> None:
    """Nothing else is drawn: the forests, and the folds of training patients that calibrate."""
    question = [Question(patient("test", 1, 17), "grade", None)]
    train, validation = patients(12, "train"), patients(4, "validation")
    models = [fit_grader("radiomics", "truth", train, validation, seed=seed) for seed in (0, 1, 1)]
    zero, one, again = (next(model.predict(question)).score for model in models)
    assert zero != one == again
    assert [model.settings.get("seed") for model in models] == [None, 1, 1]
    assert {**models[0].settings, "threshold": 0, "seed": 1} == {**models[1].settings, "threshold": 0}


def test_settings_tell_other_training_and_other_validation_patients_apart() -> None:
    learnt = {
        fit_grader("radiomics", "truth", patients(train, "train"), patients(validation, "v")).settings["learnt"]
        for train, validation in ((8, 2), (10, 2), (8, 4))
    }
    assert len(learnt) == 3


def test_patients_without_a_mask_are_missing_where_the_region_is_the_truth() -> None:
    bare = replace(patient("test", 1, 40), labels=None)
    train = [*patients(12, "train"), replace(patient("bare", 1, 40), labels=None), patient("unknown", None, 40)]
    model = fit_grader("radiomics", "truth", train, [])
    (prediction,) = model.predict([Question(bare, "grade", None)])
    assert isinstance(prediction.answer, Missing)
    assert prediction.score is None


def test_one_grade_only_is_refused_with_the_counts() -> None:
    train = [patient(f"H{n}", 1, 40) for n in range(3)]
    with pytest.raises(ModelError, match=r"radiomics: .* 0 LGG and 3 HGG"):
        fit_grader("radiomics", "crop", train, [])
