"""A report's contents as a small study would leave them: three models, five trivial baselines, eleven patients."""

import numpy as np
import pandas as pd
import pytest

from gliobench.cohort.subject import Fault
from gliobench.grid.frame import SliceFrame
from gliobench.report.contents import GalleryItem, Part, ReportContents
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon

GRADES = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
SUBJECTS = [f"BraTS_{number:03d}" for number in range(1, 12)]
BASELINES = frozenset({"majority-grade", "image-centre", "mean-box", "flair-blob", "empty"})
SUMMARY = ["model", "task", "source", "plane", "metric", "unit", "value", "low", "high", "interval"]
SUMMARY += ["n_subjects", "n_asked", "n_answered", "coverage"]

# model, task, source, plane, metric, unit, level, spread, coverage
SCORED = [
    ("study-segmenter", "mask", "mask", "volume", "dice", "", 0.78, 0.10, 1.0),
    ("study-segmenter", "mask", "mask", "volume", "hd95_mm", "mm", 14.0, 8.0, 1.0),
    ("study-segmenter", "polygon", "mask", "axial", "dice", "", 0.74, 0.10, 1.0),
    ("study-segmenter", "box", "mask", "axial", "dice", "", 0.77, 0.08, 1.0),
    ("study-segmenter", "centre", "mask", "axial", "distance_to_centre_mm", "mm", 9.0, 4.0, 1.0),
    ("study-segmenter", "centre", "mask", "axial", "in_box", "", 0.92, 0.05, 1.0),
    ("flair-blob", "mask", "mask", "volume", "dice", "", 0.47, 0.17, 1.0),
    ("flair-blob", "mask", "mask", "volume", "hd95_mm", "mm", 37.0, 12.0, 1.0),
    ("flair-blob", "polygon", "mask", "axial", "dice", "", 0.41, 0.2, 1.0),
    ("flair-blob", "box", "mask", "axial", "dice", "", 0.48, 0.2, 1.0),
    ("flair-blob", "centre", "mask", "axial", "distance_to_centre_mm", "mm", 23.0, 9.0, 1.0),
    ("flair-blob", "centre", "mask", "axial", "in_box", "", 0.61, 0.2, 1.0),
    ("mean-box", "mask", "box", "volume", "dice", "", 0.29, 0.1, 1.0),
    ("mean-box", "mask", "box", "volume", "hd95_mm", "mm", 52.0, 9.0, 1.0),
    ("mean-box", "box", "box", "axial", "dice", "", 0.43, 0.11, 1.0),
    ("mean-box", "centre", "box", "axial", "distance_to_centre_mm", "mm", 31.0, 8.0, 1.0),
    ("mean-box", "centre", "box", "axial", "in_box", "", 0.52, 0.2, 1.0),
    ("image-centre", "centre", "centre", "axial", "distance_to_centre_mm", "mm", 38.0, 8.0, 1.0),
    ("image-centre", "centre", "centre", "axial", "in_box", "", 0.21, 0.15, 1.0),
    ("empty", "mask", "mask", "volume", "dice", "", 0.0, 0.0, 1.0),
    ("empty", "polygon", "polygon", "axial", "dice", "", 0.0, 0.0, 1.0),
    ("tiny-mllama", "polygon", "polygon", "axial", "dice", "", 0.11, 0.08, 0.61),
    ("tiny-mllama", "box", "box", "axial", "dice", "", 0.24, 0.1, 0.86),
    ("tiny-mllama", "centre", "centre", "axial", "distance_to_centre_mm", "mm", 44.0, 12.0, 0.93),
    ("tiny-mllama", "centre", "centre", "axial", "in_box", "", 0.18, 0.12, 0.93),
    ("tiny-mllama", "centre", "box", "axial", "distance_to_centre_mm", "mm", 49.0, 12.0, 0.86),
]

# value, low, high by metric
GRADED = {
    "study-classifier": [(0.73, 0.48, 0.93), (0.82, 0.45, 0.98), (2 / 3, 0.21, 0.94), (0.73, 0.43, 0.90)],
    "tiny-mllama": [(0.48, 0.33, 0.62), (0.51, 0.2, 0.8), (1 / 3, 0.06, 0.79), (0.55, 0.28, 0.79)],
    "majority-grade": [(0.5, 0.5, 0.5), (np.nan, np.nan, np.nan), (0.0, 0.0, 0.56), (8 / 11, 0.43, 0.90)],
}


def make_summary(per_subject: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (model, task, source, plane, metric), part in per_subject.groupby(
        ["model", "task", "source", "plane", "metric"], sort=False
    ):
        mean = part["value"].mean()
        error = 1.96 * part["value"].std() / len(part) ** 0.5
        unit = "mm" if metric.endswith("_mm") else "share"
        asked, answered = part["n_asked"].sum(), part["n_answered"].sum()
        high = mean + error if unit == "mm" else min(mean + error, 1.0)
        rows.append((model, task, source, plane, metric, unit, mean, max(mean - error, 0.0), high))
        rows[-1] += ("BCa bootstrap over patients", 11, asked, answered, answered / asked)
    for model, values in GRADED.items():
        plane, answered = ("axial", 412) if model == "tiny-mllama" else ("volume", 11)
        asked = 440 if model == "tiny-mllama" else 11
        for metric, (value, low, high) in zip(
            ("balanced_accuracy", "auc", "specificity", "accuracy"), values, strict=True
        ):
            method = "BCa bootstrap over patients" if metric == "balanced_accuracy" else "Wilson"
            method = "undefined: the model gives no score" if np.isnan(value) else method
            rows.append((model, "grade", "grade", plane, metric, "share", value, low, high, method))
            rows[-1] += (11, asked, answered, answered / asked)
    return pd.DataFrame(rows, columns=SUMMARY)


def make_per_subject() -> pd.DataFrame:
    random = np.random.default_rng(7)
    rows = []
    for model, task, source, plane, metric, _, level, spread, coverage in SCORED:
        top = np.inf if metric.endswith("_mm") else 1.0
        values = np.clip(random.normal(level, spread, len(SUBJECTS)), 0.0, top)
        asked = 1 if plane == "volume" else 40
        for subject, grade, value in zip(SUBJECTS, GRADES, values, strict=True):
            answered = round(asked * coverage)
            rows.append((model, task, source, plane, subject, grade, metric, float(value), asked, answered))
    columns = ["model", "task", "source", "plane", "subject", "grade", "metric", "value", "n_asked", "n_answered"]
    return pd.DataFrame(rows, columns=columns).astype({"grade": "Int64"})


def make_votes() -> pd.DataFrame:
    random = np.random.default_rng(3)
    rows = []
    for place, (subject, grade) in enumerate(zip(SUBJECTS, GRADES, strict=True)):
        right = place not in (2, 9, 10)
        called = grade if right else 1 - grade
        share = float(np.clip(random.normal(0.62, 0.2), 0.05, 1.0))
        high = round(38 * share)
        nothing = place == 5
        vote = (0, 0, 0, 40, np.nan, None) if nothing else (38 - high, high, 1, 1, high / 38, int(high > 19))
        rows.append(("tiny-mllama", "axial", subject, grade, *vote, 0.5))
        rows.append(("majority-grade", "volume", subject, grade, 0, 1, 0, 0, 1.0, 1, np.nan))
        rows.append(
            ("study-classifier", "volume", subject, grade, 1 - called, called, 0, 0, float(called), called, 0.5)
        )
    columns = ["model", "plane", "subject", "grade", "lgg", "hgg", "no_glioma", "unanswered"]
    frame = pd.DataFrame(rows, columns=[*columns, "gldr", "predicted", "score"])
    return frame.astype({"grade": "Int64", "predicted": "Int64"}).assign(aggregate="majority")


def make_gallery() -> list[GalleryItem]:
    rows, columns = np.mgrid[:128, :128]
    items = []
    for number, (subject, grade) in enumerate(zip(SUBJECTS[2:6], GRADES[2:6], strict=True)):
        frame = SliceFrame("axial", 40 + number, (128, 128), (1.4, 1.1))
        brain = ((rows - 64) / 58) ** 2 + ((columns - 64) / 46) ** 2 < 1
        row, column = 48 + 8 * number, 50 + 6 * number
        truth = ((rows - row) / 16) ** 2 + ((columns - column) / 13) ** 2 < 1
        image = (brain * (90 + 40 * np.sin(rows / 7) * np.cos(columns / 6)) + truth * 90).clip(0, 255).astype(np.uint8)
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        points = tuple((row + 20 * float(np.sin(a)), column + 18 * float(np.cos(a))) for a in angles)
        answers = {
            "study-segmenter": Mask(frame, np.roll(truth, 3 + number, axis=1)),
            "tiny-mllama": Polygon(frame, points) if number % 2 else None,
            "mean-box": Box(frame, 40, 36, 84, 80),
            "image-centre": Point(frame, 63.5, 63.5),
            "empty": Mask(frame, np.zeros((128, 128), dtype=bool)),
            "majority-grade": Grade(1),
        }
        items.append(GalleryItem(subject, grade, "axial", 40 + number, image, Mask(frame, truth), answers))
    return items


def make_curves() -> dict[str, pd.DataFrame]:
    epochs = np.arange(20)
    falling = 0.7 * np.exp(-epochs / 8) + 0.15
    table = {"epoch": epochs, "train_loss": falling, "validation_loss": falling + 0.05 + epochs * 0.004}
    return {
        name: pd.DataFrame(table | {"validation_metric": level * (1 - np.exp(-epochs / 5))})
        for name, level in (("study-classifier", 0.7), ("study-segmenter", 0.75))
    }


@pytest.fixture(scope="session")
def contents() -> ReportContents:
    """Made by hand with a fixed seed; build variants with `dataclasses.replace`."""
    per_subject = make_per_subject()
    return ReportContents(
        title="Which model for 30 patients?",
        study="brats",
        cohort="BraTS 2019, 2 mm",
        parts=(Part("training", 15, 3, 12), Part("validation", 4, 1, 3), Part("test", 11, 3, 8)),
        summary=make_summary(per_subject),
        per_subject=per_subject,
        votes=make_votes(),
        baselines=BASELINES,
        curves=make_curves(),
        gallery=make_gallery(),
        faults=(Fault("BraTS_099", "t1ce is missing; found flair, t1 and t2"),),
        provenance={"gliobench": "0.1.0", "torch": "2.13.0", "hardware": "2 CPU cores", "split": "sha256 0f3a… seed 0"},
        oracles=("Slices were chosen by the tumour's extent: from its first slice to its last.",),
        notes=("The study's own random crop is replaced by a centred one.",),
        marks={"tiny-mllama": "untrained"},
    )
