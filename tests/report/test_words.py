"""The words claim what the intervals hold, and no more."""

from dataclasses import replace

import pandas as pd
import pytest

from gliobench.report import numbers, words
from gliobench.report.contents import Part, ReportContents
from gliobench.scoring.coverage import beside


def summary(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Rows of (model, task, metric, value, low, high); everybody answered everything about 55 patients."""
    table = pd.DataFrame(rows, columns=["model", "task", "metric", "value", "low", "high"])
    unit = table["metric"].map(lambda metric: "mm" if metric.endswith("_mm") else "share")
    return table.assign(
        source=table["task"],
        plane="axial",
        unit=unit,
        interval="",
        reason="",
        n_subjects=55,
        n_asked=55,
        n_answered=55,
        coverage=1.0,
    )


def study(contents: ReportContents, table: pd.DataFrame) -> ReportContents:
    parts = [Part("test", 55, (11, 44))]
    return replace(contents, summary=table, votes=contents.votes.iloc[:0], parts=parts, comparisons=None)


@pytest.mark.parametrize(
    ("metric", "model", "baseline", "verdict"),
    [
        ("dice", (0.8, 0.7, 0.9), (0.5, 0.4, 0.6), "better"),
        ("dice", (0.8, 0.6, 0.9), (0.5, 0.4, 0.6), "open"),
        ("dice", (0.2, 0.1, 0.3), (0.5, 0.4, 0.6), "worse"),
        ("dice", (0.8, float("nan"), float("nan")), (0.5, 0.4, 0.6), "open"),
        ("dice", (1.0, 1.0, 1.0), (0.5, 0.4, 0.6), "open"),
        ("dice", (0.8, 0.7, 0.9), (0.0, 0.0, 0.0), "open"),
        ("hd95_mm", (8.0, 5.0, 12.0), (30.0, 20.0, 40.0), "better"),
        ("hd95_mm", (60.0, 50.0, 70.0), (30.0, 20.0, 40.0), "worse"),
    ],
)
def test_only_intervals_that_do_not_meet_are_called_clear(
    contents: ReportContents, metric: str, model: tuple[float, ...], baseline: tuple[float, ...], verdict: str
) -> None:
    table = summary(("net", "mask", metric, *model), ("empty", "mask", metric, *baseline))
    assert [finding.verdict for finding in words.findings(study(contents, table))] == [verdict]


def test_two_of_eleven_is_not_told_from_always_answering_hgg(contents: ReportContents) -> None:
    # Agresti and Coull, by hand: 2 of 11 is (3.921 ± 1.959964 sqrt(3.921 x 10.921 / 14.841)) / 14.841, 4.0 % to 48.9 %
    votes = pd.DataFrame(
        {
            "model": "net",
            "plane": "axial",
            "subject": [f"p{number}" for number in range(55)],
            "grade": [0] * 11 + [1] * 44,
            "predicted": pd.array([0, 0, *[1] * 8, None, *[1] * 44], dtype="Int64"),
        }
    )
    table = summary(("net", "grade", "balanced_accuracy", 0.59, 0.5, 0.7))
    finding = words.findings(replace(study(contents, table), votes=votes))[0]
    assert finding.text.endswith(
        "Its specificity is 2 of 11 (4 % to 49 %): not distinguishable from always answering HGG."
    )


def test_the_opening_names_patients_and_coverage(contents: ReportContents) -> None:
    asked = words.question(contents)
    assert asked == (
        "How well do 4 models and 5 trivial baselines answer grade, centre, box, polygon and mask "
        f"on 4 test patients (2 HGG, 2 LGG) of {contents.cohort}?"
    )
    (sentence,) = words.coverage_sentences(contents)
    assert sentence.startswith("tiny-mllama-untrained gave a usable answer to ")
    assert "0 of 18 for grade (0 %)" in sentence


def test_what_was_asked_slice_by_slice_is_counted_once_and_not_again_as_a_volume(contents: ReportContents) -> None:
    table = pd.concat([summary(("vlm", "mask", "dice", 0.5, 0.4, 0.6))] * 2).assign(n_answered=9, n_asked=15)
    table = table.assign(plane=["axial", "volume"], coverage=0.6)
    (sentence,) = words.coverage_sentences(study(contents, table))
    assert sentence.startswith("vlm gave a usable answer to 9 of 15 for mask (60 %);")


def test_a_task_that_only_baselines_answer_was_asked_of_no_model(contents: ReportContents) -> None:
    table = summary(("mean-box", "box", "dice", 0.4, 0.3, 0.5))
    (finding,) = words.findings(study(contents, table))
    assert finding.verdict == "alone"


def test_of_several_planes_the_comparison_in_the_best_ones_plane_decides(contents: ReportContents) -> None:
    """The intervals overlap; patient by patient the net is better on coronal slices, and nothing is shown on axial
    ones, where the baseline's own best figure stands."""
    rows = [("net", 0.60, 0.5, 0.7), ("net", 0.64, 0.5, 0.7), ("box", 0.59, 0.5, 0.7), ("box", 0.55, 0.4, 0.6)]
    table = summary(*((name, "box", "dice", *figures) for name, *figures in rows))
    table["plane"] = ["axial", "coronal"] * 2
    found = [("axial", 0.01, False, "nothing yet"), ("coronal", 0.09, True, "net is higher")]
    pairs = pd.DataFrame(found, columns=["plane", "difference", "shown", "words"])
    pairs = pairs.assign(task="box", metric="dice", model_a="net", model_b="box")
    contents = replace(study(contents, table), comparisons=pairs, baselines=frozenset({"box"}))
    (finding,) = words.findings(contents)
    assert finding.verdict == "better"
    assert "box at 0.55 (0.40 to 0.60), paired by patient: net is higher" in finding.text


def test_the_best_is_the_one_with_the_best_figure(contents: ReportContents) -> None:
    by_task = {finding.task: finding.text for finding in words.findings(contents)}
    models = contents.summary[~contents.summary["model"].isin(contents.baselines)]
    for task, metric, words_before, best in (
        ("grade", "balanced_accuracy", "highest balanced accuracy", max),
        ("centre", "distance_to_centre_mm", "shortest distance to centre", min),
    ):
        rows = models[(models["task"] == task) & (models["metric"] == metric)]
        winners = rows.loc[rows["value"] == best(rows["value"]), "model"]
        assert any(by_task[task].startswith(f"{words_before}: {name} ") for name in winners), by_task[task]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.999, "99.9 %"), (0.9999, "> 99.9 %"), (0.004, "0.4 %"), (0.86, "86 %")],
)
def test_a_share_is_never_rounded_onto_all_or_nothing(value: float, text: str) -> None:
    assert numbers.percent(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.825, "share", "0.82"), (0.9999, "share", "0.9999"), (12.34, "mm", "12.3"), (123.4, "mm", "123")],
)
def test_figures_read_well(value: float, unit: str, text: str) -> None:
    assert numbers.number(value, unit) == text


def test_a_model_that_always_says_the_same_is_called_constant(contents: ReportContents) -> None:
    """Calling every patient LGG gives a specificity of 1, which is no knowledge of LGG."""
    table = summary(("cnn", "grade", "balanced_accuracy", 0.5, 0.5, 0.5))
    rows = [("cnn", "axial", f"P{number}", int(number > 2), 0) for number in range(8)]
    votes = pd.DataFrame(rows, columns=["model", "plane", "subject", "grade", "predicted"]).astype(
        {"predicted": "Int64"}
    )
    found = words.findings(replace(study(contents, table), votes=votes))
    assert "every patient LGG, as a constant answer would (specificity 3 of 3" in found[0].text


def test_intervals_that_do_not_cover_are_not_sold_as_95_per_cent() -> None:
    sound = pd.DataFrame({"metric": ["dice"], "interval": [beside("t", "", 12)]})
    assert words.unreliable_intervals(sound) == ""
    unsound = pd.DataFrame({"metric": ["dice", "hd95_mm"], "interval": ["t", beside("log-t", "distances", 12)]})
    assert words.unreliable_intervals(unsound).startswith("Do not rely on the intervals of HD95: no method")
