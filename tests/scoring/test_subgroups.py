"""Groups of patients by what a table says of them, and their figures, by hand."""

import numpy as np
import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA, NODULES
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.subgroups import gap_of_classes, gap_of_means, group_patients, subgroup_classes, subgroup_means
from gliobench.scoring.summary import votes_columns

QUICK = Bootstrap(resamples=200)


def named(values: list[str | None]) -> dict[str, str | None]:
    return {f"P{number}": value for number, value in enumerate(values)}


def sizes(values: list[str | None]) -> dict[str, int]:
    return {group: len(patients) for group, patients in group_patients(named(values)).items()}


def test_categories_stay_as_they_are_and_the_unknown_are_a_group() -> None:
    assert sizes(["M", "F", None, "M"]) == {"F": 1, "M": 2, "missing": 1}
    assert group_patients(named(["M", "F", None, "M"]))["M"] == ["P0", "P3"]
    assert list(sizes(["10", "9", "2", "10"])) == ["2", "9", "10"]  # a few numbers are categories, in their order


def test_the_rarest_of_many_categories_are_one_group() -> None:
    values = [letter for letter, count in zip("ABCDEFGH", (3, 3, 2, 2, 2, 2, 1, 1), strict=True) for _ in range(count)]
    assert sizes(values) == {"A": 3, "B": 3, "C": 2, "D": 2, "E": 2, "F": 2, "other (2 values)": 2}


def test_many_numbers_are_thirds_with_their_bounds() -> None:
    assert sizes([str(age) for age in range(41, 50)]) == {"up to 43": 3, "above 43, up to 46": 3, "above 46": 3}
    # Of 13 the cuts are the 5th and the 9th value, 1 and 3; equal values stay together.
    assert sizes([*"1111111", "2", "3", "4.5", "5", "6", "7"]) == {"up to 1": 7, "above 1, up to 3": 2, "above 3": 4}
    assert sizes([*"11111111111111", *"234567"]) == {"up to 1": 14, "above 1": 6}
    assert sizes([*"1234567", ">7"]) == {**dict.fromkeys("123456", 1), "other (2 values)": 2}  # one word: categories


def test_the_mean_of_each_group_and_no_interval_for_one_patient() -> None:
    rows = pd.DataFrame({
        "model": "cnn", "source": "mask", "plane": "volume", "metric": "hd95_mm",
        "patient": ["P0", "P1", "P2", "P3"], "value": [0.2, 0.4, 0.9, np.nan],
    })  # fmt: skip
    table = subgroup_means(rows, {"F": ["P0", "P1"], "M": ["P2", "P3"], "X": ["P3"]}, QUICK).set_index("group")
    assert table["value"].tolist() == pytest.approx([0.3, 0.9, np.nan], nan_ok=True)
    assert table["n"].tolist() == [2, 1, 0]
    # 0.2 and 0.4: mean 0.3, standard error 0.1, t of one degree of freedom 12.7062
    assert table.loc["F", "low"] == pytest.approx(0.3 * np.exp(-12.7062 * 0.1 / 0.3), rel=1e-4)
    assert (np.isnan(table.loc["M", "low"]), table.loc["M", "reason"]) == (True, "n=1")
    assert table.loc["X", "reason"] == "no patient has a value"


def votes(rows: list[tuple[str, int, int | None]], several: bool) -> pd.DataFrame:
    problem = NODULES if several else GLIOMA
    table = pd.DataFrame([
        {"model": "cnn", "plane": "volume", "subject": patient, "patient": patient, "grade": truth, "predicted": called}
        for patient, truth, called in rows
    ], columns=list(votes_columns(problem)))  # fmt: skip
    return table.astype({"grade": "Int64", "predicted": "Int64"}).fillna({"score": 0.5} if not several else {})


def test_classes_of_each_group_and_one_class_alone_is_undefined() -> None:
    rows = [("P0", 1, 1), ("P1", 1, None), ("P2", 0, 0), ("P3", 1, 1), ("P4", 1, 0)]
    groups = {"F": ["P0", "P1", "P2"], "M": ["P3", "P4"]}
    table = subgroup_classes(votes(rows, several=False), "balanced_accuracy", groups, QUICK).set_index("group")
    assert table.loc["F", "value"] == pytest.approx((1 / 2 + 1) / 2)  # recalls of HGG and LGG
    assert np.isnan(table.loc["M", "value"])
    assert table.loc["M", "reason"] != ""
    assert table["n"].tolist() == [3, 2]


def test_the_gap_is_from_the_worst_to_the_best_group_of_five() -> None:
    numbers = {"F": range(6), "M": range(6, 12), "X": range(12, 14), "missing": range(14, 20)}
    groups = {group: [f"P{number}" for number in own] for group, own in numbers.items()}
    values = [0.9] * 5 + [0.6] + [0.5, 0.7] * 3 + [0.0] * 8
    patients = [f"P{n}" for n in range(20)]
    rows = pd.DataFrame({"model": "cnn", "source": "mask", "plane": "volume", "patient": patients, "value": values})
    rows["metric"] = "dice"
    found = subgroup_means(rows, groups, QUICK)
    (gap,) = gap_of_means(rows, groups, found, QUICK, lower_is_better=False).to_dict("records")
    assert (gap["worst"], gap["best"], gap["value"]) == ("M", "F", pytest.approx(0.85 - 0.6))
    assert -0.05 < gap["low"] < 0.25 < gap["high"] < 0.5
    (gap,) = gap_of_means(rows, groups, found, QUICK, lower_is_better=True).to_dict("records")
    assert (gap["worst"], gap["best"], gap["value"]) == ("F", "M", pytest.approx(0.25))


def test_the_gap_of_classes_and_none_of_small_groups() -> None:
    """F: recalls 1 of HGG and 1 of LGG; M: 2 of 3 and 1 of 2."""
    rows = [(f"F{number}", *pair) for number, pair in enumerate([(1, 1), (1, 1), (1, 1), (0, 0), (0, 0)])]
    rows += [(f"M{number}", *pair) for number, pair in enumerate([(1, 1), (1, 1), (1, 0), (0, 0), (0, 1)])]
    table = votes(rows, several=False)
    groups = {name: [patient for patient, *_ in rows if patient[0] == name] for name in "FM"}
    found = subgroup_classes(table, "balanced_accuracy", groups, QUICK)
    (gap,) = gap_of_classes(table, "balanced_accuracy", groups, found, QUICK).to_dict("records")
    assert (gap["worst"], gap["value"]) == ("M", pytest.approx(1 - (2 / 3 + 1 / 2) / 2))
    assert gap["low"] < gap["value"] < gap["high"]
    small = {"F": groups["F"], "M": groups["M"][:4]}
    found = subgroup_classes(table, "balanced_accuracy", small, QUICK)
    (gap,) = gap_of_classes(table, "balanced_accuracy", small, found, QUICK).to_dict("records")
    assert (np.isnan(gap["value"]), gap["reason"]) == (True, "fewer than 2 subgroups of 5 patients with a value")
