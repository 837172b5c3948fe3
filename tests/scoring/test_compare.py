"""Models and runs against each other: who is paired with whom, what is corrected, and what the words may say."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from gliobench.cohort.problem import GLIOMA
from gliobench.scoring.compare import COMPARED, compare, compare_models, compare_runs
from gliobench.scoring.human import READERS
from gliobench.scoring.intervals import Bootstrap, Figure, undefined
from gliobench.scoring.matching import CompareError
from gliobench.scoring.paired import Difference
from gliobench.scoring.sentences import amount, is_shown, sentence
from gliobench.scoring.summary import PER_SUBJECT, Scores, votes_columns

QUICK = Bootstrap(resamples=500)
REACH = "minimum detectable difference 0.12 (80 % power)"


def dice(model: str, values: dict[str, float], *, source: str = "mask", plane: str = "volume", asked: int = 1) -> list:
    return [(model, "mask", source, plane, id, id, 1, "dice", value, asked, asked, 1) for id, value in values.items()]


def vote(model: str, plane: str, id: str, grade: int | None, predicted: int | None, score: float) -> tuple:
    return (model, plane, id, id, grade, 0, 0, 0, 0, score, predicted, score, "majority")


def scores(rows: list, votes: list | None = None) -> Scores:
    table = pd.DataFrame(rows, columns=PER_SUBJECT).astype({"grade": "Int64", "value": float})
    voted = pd.DataFrame(votes or [], columns=votes_columns(GLIOMA)).astype({"grade": "Int64", "predicted": "Int64"})
    return Scores(table, pd.DataFrame(), voted)


def write_run(folder: Path, made: Scores) -> Path:
    (folder / "scores").mkdir(parents=True)
    made.per_subject.to_parquet(folder / "scores" / "per_subject.parquet")
    made.votes.to_parquet(folder / "scores" / "votes.parquet")
    return folder


A = {"P1": 0.9, "P2": 0.8, "P3": 0.7, "P4": 0.6}
B = {"P4": 0.5, "P3": 0.5, "P2": 0.5, "P5": 0.1}


def test_patients_are_paired_by_name_and_those_left_out_are_named() -> None:
    table = compare(scores(dice("cnn", A)), scores(dice("vlm", B)), QUICK)
    assert tuple(table.columns) == COMPARED
    (row,) = table.to_dict("records")
    assert (row["n_subjects"], row["left_out"]) == (3, "only in cnn: P1; only in vlm: P5")
    assert (row["value_a"], row["value_b"], row["difference"]) == pytest.approx((0.7, 0.5, 0.2))
    assert row["p"] == pytest.approx(2 / 8)  # of 8 signs only all + and all - are as far from 0
    assert row["words"].endswith("left out, 1 only in cnn (P1), 1 only in vlm (P5)")
    assert row["words"].startswith("no difference shown: 0.20 (")


def test_a_patient_whom_a_metric_is_not_for_is_left_out_not_counted_as_nothing() -> None:
    not_for = dice("cnn", {"P3": np.nan}, asked=0)
    own = dice("cnn", {id: value for id, value in A.items() if id != "P3"})
    table = compare(scores(own + not_for), scores(dice("vlm", B)), QUICK)
    assert (table.loc[0, "n_subjects"], table.loc[0, "left_out"]) == (2, "only in cnn: P1; only in vlm: P3, P5")


def test_a_metric_without_a_value_for_a_silent_patient_is_not_compared() -> None:
    with pytest.raises(CompareError, match="nothing to compare"):
        compare(scores(dice("cnn", {**A, "P3": np.nan})), scores(dice("vlm", B)), QUICK)


def test_the_nearest_source_is_taken_and_other_planes_are_not_mixed() -> None:
    near = dice("cnn", A, source="box") + dice("cnn", dict.fromkeys(A, 0.0), source="polygon")
    table = compare(scores(near + dice("cnn", A, plane="axial")), scores(dice("vlm", A)), QUICK)
    assert table[["source_a", "source_b", "plane", "value_a"]].to_numpy().tolist() == [
        ["polygon", "mask", "volume", 0.0]
    ]


def test_other_slices_are_said() -> None:
    a, b = (scores(dice(name, A, plane="axial", asked=asked)) for name, asked in (("cnn", 20), ("vlm", 5)))
    assert "not asked about the same number of slices" in compare(a, b, QUICK).loc[0, "words"]


def test_grades_are_compared_over_votes_and_a_patient_without_one_is_wrong() -> None:
    truth = [0, 0, 0, 1, 1, 1, 1, None]
    a = [vote("net", "volume", f"P{i}", grade, grade, float(grade or 0)) for i, grade in enumerate(truth)]
    b = [vote("vlm", "axial", f"P{i}", grade, 1 if i else None, 0.5 if i else 1.0) for i, grade in enumerate(truth)]
    table = compare(scores([], a), scores([], b), QUICK).set_index("metric")
    assert set(table["plane"]) == {"volume / axial"}
    assert table["n_subjects"].to_dict() == {
        "accuracy": 7, "balanced_accuracy": 7, "precision": 7, "recall": 4, "specificity": 3, "f1": 7, "auc": 7,
    }  # fmt: skip
    assert table["value_b"].to_dict() == pytest.approx({
        "accuracy": 4 / 7, "balanced_accuracy": 0.5, "precision": 4 / 7, "recall": 1, "specificity": 0, "f1": 8 / 11,
        "auc": 1 / 3,
    })  # fmt: skip
    assert table.loc["accuracy", ["p", "test"]].tolist() == [0.25, "exact McNemar"]
    both = [vote("vlm", plane, f"P{i}", 1, 1, 1.0) for plane in ("volume", "axial") for i in range(7)]
    assert set(
        compare(scores([], [*both, vote("vlm", "axial", "P9", 1, 1, 1.0)]), scores([], a[3:]), QUICK)["plane"]
    ) == {"volume"}


def test_p_is_corrected_for_all_comparisons_that_were_made() -> None:
    random = np.random.default_rng(0)
    rows = [
        row for name, shift in (("a", 0.0), ("b", 0.02), ("c", 0.3))
        for row in dice(name, {f"P{i}": random.normal(shift, 0.1) for i in range(12)})
    ]  # fmt: skip
    table = compare_models(scores(rows), bootstrap=QUICK)
    assert table[["model_a", "model_b"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert table["p_holm"].to_numpy() == pytest.approx(multipletests(table["p"], method="holm")[1])
    # Holm (1979) by hand: the smallest p by 3, the next by 2, never falling.
    smallest = sorted(table["p"])
    assert sorted(table["p_holm"])[0] == pytest.approx(3 * smallest[0])
    assert table.loc[1, "words"].startswith("difference shown: c is higher than a by 0.")
    assert "corrected for 3 comparisons" in table.loc[1, "words"]
    assert compare_models(scores(rows), "b", QUICK)[["model_a", "model_b"]].to_numpy().tolist() == [
        ["a", "b"],
        ["c", "b"],
    ]


def test_many_comparisons_get_more_permutations() -> None:
    """By 500 resamples p cannot fall below 1 in 501, which corrected for 300 comparisons is nothing."""
    random = np.random.default_rng(0)
    rows = [
        (name, "mask", "mask", "volume", f"P{i}", f"P{i}", 1, f"m{metric}", shift + random.normal(0, 0.01), 1, 1, 1)
        for name, shift in (("a", 0.0), ("b", 1.0)) for i in range(16) for metric in range(300)
    ]  # fmt: skip
    table = compare_models(scores(rows), bootstrap=QUICK)
    assert set(table["test"]) == {"paired permutation (12,000 resamples)"}
    assert table["p_holm"].max() < 0.05


def test_runs_are_read_from_their_folders(tmp_path: Path) -> None:
    one = write_run(tmp_path / "x" / "out", scores(dice("cnn", A) + dice("empty", A)))
    two = write_run(tmp_path / "y" / "out", scores(dice("cnn", B)))
    table = compare_runs([one, two], bootstrap=QUICK)
    assert table[["model_a", "model_b"]].to_numpy().tolist() == [
        ["x/out/cnn", "y/out/cnn"],
        ["x/out/empty", "y/out/cnn"],
    ]
    against = compare_runs([one, two], "x/out/empty", QUICK)
    assert against[["model_a", "model_b"]].to_numpy().tolist() == [
        ["x/out/cnn", "x/out/empty"], ["y/out/cnn", "x/out/empty"],
    ]  # fmt: skip
    assert compare_runs([one], bootstrap=QUICK)["model_a"].tolist() == ["cnn"]
    pd.testing.assert_frame_equal(table, compare_runs([one, two], bootstrap=QUICK))


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", scores(dice("cnn", A)))
    broken = write_run(tmp_path / "broken", scores(dice("cnn", A)))
    (broken / "scores" / "votes.parquet").write_bytes(b"no parquet")
    old = write_run(tmp_path / "old", scores(dice("cnn", A)))
    pd.DataFrame({"model": ["cnn"]}).to_parquet(old / "scores" / "votes.parquet")
    other = write_run(tmp_path / "b", scores(dice("cnn", B)))
    strangers = write_run(tmp_path / "c", scores(dice("cnn", {"Q": 1.0})))
    for folders, reference, found in (
        ([], None, ""),
        ([run, tmp_path / "nowhere"], None, r"nowhere .*per_subject\.parquet"),
        ([run, run], None, f"{run}, {run}"),
        ([run, broken], None, r"votes\.parquet"),
        ([run, old], None, r"votes\.parquet .*\bplane"),
        ([run], None, "cnn"),
        ([run, other], "vlm", "vlm.* run/cnn, b/cnn"),
        ([run, strangers], None, "run/cnn and c/cnn"),
    ):
        with pytest.raises(CompareError, match=found):
            compare_runs(folders, reference, QUICK)
    with pytest.raises(CompareError, match=r"hd95.*dice"):
        compare_runs([run, other], None, QUICK, metrics=["dice", "hd95"])


def test_contradictions_are_named() -> None:
    a = scores([], [vote("net", "axial", "P1", 0, 0, 0.0), vote("net", "axial", "P2", 1, 1, 1.0)])
    b = scores([], [vote("vlm", "axial", "P1", 1, 1, 1.0), vote("vlm", "axial", "P2", 1, 1, 1.0)])
    with pytest.raises(CompareError, match=r"P1 is LGG .*HGG"):
        compare(a, b, QUICK)
    with pytest.raises(CompareError, match="net"):
        compare(a, a, QUICK)
    with pytest.raises(CompareError, match=r"\(.*patient P1"):
        compare(scores(dice("cnn", A) + dice("cnn", {"P1": 0.3})), b, QUICK)


@pytest.mark.parametrize(
    ("low", "high", "p", "p_holm", "shown", "words"),
    [
        (-0.10, 0.05, 0.4, 1.0, False, f"no difference shown: -0.03 (-0.10 to 0.05), n=12; {REACH}"),
        (-0.10, -0.004, 0.001, 0.01, True, "difference shown: vlm is higher than cnn by 0.03 (0.004 to 0.10), n=12, "
         "p=0.01 corrected for 9 comparisons"),
        (-0.10, -0.01, 0.01, 0.09, False, "no difference shown: -0.03 (-0.10 to -0.01), n=12, p=0.01 alone but p=0.09 "
         "corrected for 9 comparisons"),
        (-0.10, 0.01, 0.001, 0.009, False, "no difference shown: -0.03 (-0.10 to 0.01), n=12, interval and test do not "
         f"agree (p=0.001 before correction); {REACH}"),
        (*[np.nan] * 4, False, "no difference shown: -0.03, n=12, too few patients for an interval and a test"),
    ],
)  # fmt: skip
def test_words_claim_no_more_than_interval_and_p(
    low: float, high: float, p: float, p_holm: float, shown: bool, words: str
) -> None:
    difference = Difference(12, 0.7, 0.73, Figure(-0.03, low, high, ""), p, "", 0.12)
    assert sentence(("cnn", "vlm"), "dice", difference, p_holm, 9, ()) == words
    assert is_shown(difference, p_holm) is shown


def test_words_say_where_so_few_patients_could_never_show_anything() -> None:
    """Of 7 patients the smallest p is 2 in 128, which corrected for 4 comparisons is more than 0.05."""
    difference = Difference(7, 0.9, 0.1, Figure(0.8, 0.7, 0.9, ""), 2 / 128, "paired permutation (exact)", 0.1)
    advice = "so few patients cannot show anything among so many comparisons: name a reference to make fewer"
    assert sentence(("a", "b"), "dice", difference, 8 / 128, 4, ()).endswith(advice)
    assert advice not in sentence(("a", "b"), "dice", difference, 6 / 128, 3, ())


def test_words_of_undefined_and_equal_figures() -> None:
    nan = float("nan")
    none = Difference(3, nan, nan, undefined("no LGG patient"), nan, "none", nan)
    assert sentence(("a", "b"), "auc", none, nan, 2, ()) == "not comparable (no LGG patient), n=3"
    table = compare(scores(dice("cnn", A)), scores(dice("vlm", A)), QUICK)
    assert re.fullmatch(
        r"no difference shown: 0 \(-0\.\d\d to 0\.\d\d\), n=4; minimum detectable difference undefined",
        table.loc[0, "words"],
    )
    none = Difference(3, 7.0, 7.0, Figure(0.0, 0.0, 0.0), 1.0, "paired permutation (exact)", nan)
    assert sentence(("a", "b"), "hd95_mm", none, 1.0, 2, ()).startswith(
        "no difference shown: 0 mm in every patient, n=3"
    )
    assert [amount(*one) for one in ((0.0, "dice"), (-0.0003, "dice"), (12.34, "hd95_mm"))] == [
        "0",
        "-0.0003",
        "12.3 mm",
    ]


def test_human_readers_are_held_beside_every_model_without_costing_the_others_power(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        row for name, shift in (("a", 0.0), ("b", 0.05), (READERS, 0.3))
        for row in dice(name, {f"P{i}": random.normal(shift, 0.1) for i in range(12)})
    ]  # fmt: skip
    table = compare_models(scores(rows[::-1]), bootstrap=QUICK)  # readers are the first
    assert sorted(map(tuple, table[["model_a", "model_b"]].to_numpy())) == [("a", READERS), ("b", "a"), ("b", READERS)]
    between, human = table[table["model_b"] != READERS], table[table["model_b"] == READERS]
    assert between["p_holm"].tolist() == between["p"].tolist()  # one test alone
    assert human["p_holm"].to_numpy() == pytest.approx(multipletests(human["p"], method="holm")[1])
    assert (human["difference"] < 0).all()  # model minus readers
    assert human["words"].str.contains("corrected for 2 comparisons").all()
    assert human["words"].str.endswith("readers: each reader against the others' consensus").all()
    assert not between["words"].str.contains("consensus").any()
    runs = [write_run(tmp_path / name, scores(rows)) for name in ("one", "two")]
    pairs = compare_runs(runs, bootstrap=QUICK)[["model_a", "model_b"]].to_numpy().tolist()
    assert ["one/a", f"two/{READERS}"] in pairs
    assert not any(a.endswith(READERS) for a, _ in pairs)
