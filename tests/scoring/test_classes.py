"""Figures of three classes: by hand, and against scikit-learn; and two classes of any names like LGG and HGG."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from gliobench.cohort.problem import GLIOMA, NODULES, Problem
from gliobench.scoring.compare import compare, compare_models
from gliobench.scoring.errors import CompareError
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.graded import Graded
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.paired import MCNEMAR
from gliobench.scoring.paired_classes import ClassCalls, class_differences, class_metrics
from gliobench.scoring.registry import named
from gliobench.scoring.score import SubjectScores, VoteRow
from gliobench.scoring.summary import Scores, problem_of, summarise, votes_columns
from gliobench.scoring.votes import GradedPatient, Votes, count_votes, most_votes
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import Grade

FAST = Bootstrap(resamples=200)
TWO = replace(GLIOMA, name="lesions", classes=("benign", "malignant"), class_words=(), asked="class")
NONE = NODULES.none


def patient(truth: int, *counts: int, none: int = 0, unanswered: int = 0) -> GradedPatient:
    votes = Votes(counts, none, unanswered)
    return GradedPatient(truth, most_votes(votes), votes)


def sure(truth: int, *probabilities: float) -> GradedPatient:
    called = int(np.argmax(probabilities))
    return GradedPatient(truth, called, Votes(tuple(np.eye(3, dtype=int)[called]), 0, 0, probabilities))


def random_patients(seed: int, n: int = 60) -> list[GradedPatient]:
    random = np.random.default_rng(seed)
    truths = random.integers(0, 3, n)
    return [sure(int(t), *random.dirichlet(1 + 2 * np.eye(3)[t])) for t in truths]


def values(patients: list[GradedPatient], problem: Problem = NODULES) -> dict[str, float]:
    return {name: figure.value for name, figure in grade_figures(patients, FAST, problem=problem).items()}


def test_votes_over_three_classes() -> None:
    answers = [Answered(Grade(number)) for number in (0, 1, 1, 2, 1, 0)]
    votes = count_votes([*answers, Answered(Grade(NONE)), Missing("")], NODULES)
    assert votes == Votes((2, 3, 1), 1, 1)
    assert votes.shares == (2 / 6, 3 / 6, 1 / 6)
    assert most_votes(votes) == 1
    assert most_votes(Votes((2, 2, 0), 1, 2)) == 0  # ties go to the lower class
    assert most_votes(Votes((1, 2, 0), 3, 0)) is None
    assert patient(2, 1, 2, 4, none=1).slice_accuracy == 0.5


def test_three_classes_by_hand() -> None:
    """Called: 0 0 | 1 2 | 2 nothing. The last is a miss of its own class, and farthest from it on the scale."""
    patients = [patient(0, 3, 0, 0), patient(0, 2, 1, 0), patient(1, 0, 3, 1), patient(1, 0, 1, 3)]
    patients += [patient(2, 0, 0, 4), patient(2, 0, 0, 1, unanswered=3)]
    found = values(patients)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    # F1: 2 x 2 / (2 + 2); 2 x 1 / (2 + 1); 2 x 1 / (2 + 2)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    # Squared steps: 0 0 0 1 0 4. By chance: truths 2 2 2, calls 3 1 2: (2 (0 + 1 + 8) + 2 (3 + 0 + 2) + 2 (12 + 1)) / 6
    assert found["weighted_kappa"] == pytest.approx(1 - 5 / (54 / 6))
    # Shares of class 1: 0 1/3 | 3/4 1/4 | 0 1 (the worst). Of 2 x 4 pairs: 3/4 is above 3, 1/4 above 2.
    assert found["auc_indeterminate"] == pytest.approx(5 / 8)
    assert {"precision", "recall", "specificity", "f1", "brier"}.isdisjoint(found)


def test_three_classes_equal_scikit_learn() -> None:
    patients = random_patients(0)
    truth, called = [one.truth for one in patients], [one.predicted for one in patients]
    scores = np.array([one.votes.probabilities for one in patients])
    found = values(patients)
    found.pop("calibration_error")  # scikit-learn has none; by hand below
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, called),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, called),
            "auc": metrics.roc_auc_score(truth, scores, multi_class="ovo", average="macro"),
            "macro_f1": metrics.f1_score(truth, called, average="macro"),
            "weighted_kappa": metrics.cohen_kappa_score(truth, called, weights="quadratic"),
            "brier": ((scores - np.eye(3)[truth]) ** 2).sum(axis=1).mean(),
            **{
                f"auc_{name}": metrics.roc_auc_score(np.array(truth) == number, scores[:, number])
                for number, name in enumerate(NODULES.classes)
            },
        }
    )


def test_a_patient_without_a_class_among_others_equals_scikit_learn() -> None:
    patients = [*random_patients(1), patient(0, 0, 0, 0, unanswered=1), patient(2, 0, 0, 0, none=1)]
    truth = [one.truth for one in patients]
    called = [NONE if one.predicted is None else one.predicted for one in patients]
    found, classes = values(patients), range(NONE)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, called, average="macro", labels=classes))
    recalls = metrics.recall_score(truth, called, average="macro", labels=classes)
    assert found["balanced_accuracy"] == pytest.approx(recalls)


def test_probabilities_of_three_classes_by_hand() -> None:
    patients = [sure(0, 0.7, 0.2, 0.1), sure(1, 0.72, 0.18, 0.1), sure(2, 0.1, 0.4, 0.5)]
    patients.append(GradedPatient(1, None, Votes((0, 0, 0), 0, 1)))  # certain of a wrong class
    found = values(patients)
    brier = (0.3**2 + 0.2**2 + 0.1**2) + (0.72**2 + 0.82**2 + 0.1**2) + (0.1**2 + 0.4**2 + 0.5**2) + 2
    assert found["brier"] == pytest.approx(brier / 4)
    # The most probable class: 0.7 right and 0.72 wrong in one bin, 0.5 right, 1 wrong.
    assert found["calibration_error"] == pytest.approx((abs(1.42 - 1) + 0.5 + 1) / 4)


def test_a_class_that_no_patient_has() -> None:
    figures = grade_figures([patient(0, 1, 0, 0), patient(2, 0, 0, 1)], FAST, problem=NODULES)
    assert figures["accuracy"].value == 1
    for name in ("balanced_accuracy", "macro_f1", "auc", "auc_indeterminate"):
        assert figures[name].reason == "no indeterminate patient"
    assert figures["auc_benign"].value == 1


def test_a_named_positive_class_is_held_against_all_others() -> None:
    patients = random_patients(2)
    truth, called = (np.array([getattr(one, name) for one in patients]) for name in ("truth", "predicted"))
    found = values(patients, replace(NODULES, positive="malignant"))
    assert found["precision"] == pytest.approx(metrics.precision_score(truth == 2, called == 2))
    assert found["recall"] == pytest.approx(metrics.recall_score(truth == 2, called == 2))
    assert found["f1"] == pytest.approx(metrics.f1_score(truth == 2, called == 2))
    assert found["calibration_slope"] > 0
    assert found["accuracy"] == values(patients)["accuracy"]


def test_unordered_classes_have_no_weighted_kappa() -> None:
    assert "weighted_kappa" not in values(random_patients(3), replace(NODULES, ordered=False))


def test_the_name_of_a_class_auc() -> None:
    assert (named("auc_malignant").title, named("auc_malignant").better) == ("AUC of malignant", "higher")


# Tables and comparisons.


def vote(problem: Problem, model: str, name: str, one: GradedPatient) -> VoteRow:
    return VoteRow(model, "volume", name, name, one.truth, one.votes, one.predicted, problem=problem)


def tables(problem: Problem, **models: list[GradedPatient]) -> Scores:
    rows = [vote(problem, model, f"P{n:02d}", one) for model, own in models.items() for n, one in enumerate(own)]
    return summarise([SubjectScores((), tuple(rows))], FAST)


def test_the_table_of_votes_has_a_column_per_class() -> None:
    votes = tables(NODULES, a=[sure(2, 0.1, 0.2, 0.7), patient(0, 0, 0, 0, none=1)]).votes
    assert tuple(votes.columns) == votes_columns(NODULES)
    first, second = votes.to_dict("records")
    assert [first[name] for name in ("benign", "indeterminate", "malignant", "no_nodule")] == [0, 0, 1, 0]
    assert [first[f"score_{name}"] for name in NODULES.classes] == [0.1, 0.2, 0.7]
    assert [second[f"score_{name}"] for name in NODULES.classes] == [0, 1, 1]
    assert "gldr" not in votes


def renamed(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"benign": "lgg", "malignant": "hgg"})
    return table.map(lambda x: x.replace("malignant", "HGG").replace("classes", "grades") if isinstance(x, str) else x)


def two(seed: int, n: int = 24) -> list[GradedPatient]:
    random = np.random.default_rng(seed)
    found = []
    for truth in random.integers(0, 2, n):
        p = float(random.beta(2 + truth, 3 - truth))
        found.append(GradedPatient(int(truth), int(p > 0.5), Votes((int(p <= 0.5), int(p > 0.5)), 0, 0, (1 - p, p))))
    return found


def test_two_classes_of_any_names_have_the_figures_of_grades() -> None:
    a, b = two(4), two(4)[::-1]
    b = [GradedPatient(one.truth, other.predicted, other.votes) for one, other in zip(a, b, strict=True)]
    grades, classes = (tables(problem, a=a, b=b) for problem in (GLIOMA, TWO))
    for name in ("per_subject", "summary", "votes"):
        found = renamed(getattr(classes, name))
        found.attrs = {}
        pd.testing.assert_frame_equal(found, getattr(grades, name), check_exact=True)
    compared = [compare_models(one, bootstrap=FAST) for one in (grades, classes)]
    pd.testing.assert_frame_equal(renamed(compared[1]), compared[0], check_exact=True)


def test_the_first_of_two_classes_may_be_the_positive_one() -> None:
    turned = replace(TWO, classes=("malignant", "benign"), positive="malignant")
    swapped = [
        GradedPatient(
            1 - one.truth, 1 - (one.predicted or 0), Votes(one.votes.counts[::-1], 0, 0, one.votes.probabilities[::-1])
        )
        for one in two(5)
    ]
    assert values(swapped, turned) == pytest.approx(values(two(5), TWO))


def test_comparison_of_three_classes() -> None:
    a = random_patients(6, 40)
    constant = [GradedPatient(one.truth, 0, Votes((1, 0, 0), 0, 0, (0.5, 0.3, 0.2))) for one in a]
    table = compare_models(tables(NODULES, a=a, b=constant), bootstrap=FAST).set_index("metric")
    assert tuple(table.index) == class_metrics(NODULES)
    own, other = values(a), values(constant)
    for metric, row in table.iterrows():
        assert (row["value_a"], row["value_b"]) == pytest.approx((own[metric], other[metric])), metric
    assert table.loc["accuracy", "test"] == MCNEMAR
    assert table.loc["balanced_accuracy", "shown"]
    assert table.loc["auc", "p"] < 0.05
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()


def test_swaps_of_four_patients_by_hand() -> None:
    """Of 16 swaps balanced accuracy differs as much as observed where a is right each time, or b."""
    a = [sure(number, *np.eye(3)[number]) for number in (0, 0, 1, 2)]
    b = [GradedPatient(one.truth, (one.truth + 1) % 3, Votes((0, 0, 0), 0, 1)) for one in a]
    sides = [ClassCalls(tuple("ABCD"), tuple("ABCD"), Graded.of(one, NODULES)) for one in (a, b)]
    found = class_differences(sides[0], sides[1], FAST, 1000, ["balanced_accuracy"])["balanced_accuracy"]
    assert (found.value_a, found.value_b, found.p, found.test) == (1, 0, 2 / 16, "paired permutation (exact)")


def test_patients_with_several_scans_count_once() -> None:
    """A has two scans, one right: 1/2; B and C are right."""
    a = Graded.of([sure(0, 1, 0, 0), sure(0, 0, 1, 0), sure(1, 0, 1, 0), sure(2, 0, 0, 1)], NODULES)
    twice = ClassCalls(tuple("AABC"), tuple("ABC"), a)
    found = class_differences(twice, twice, FAST, 100, ["accuracy", "balanced_accuracy"])
    assert found["accuracy"].value_a == found["balanced_accuracy"].value_a == pytest.approx(2.5 / 3)
    assert found["accuracy"].test.startswith("paired permutation")
    assert found["accuracy"].p == 1


def test_runs_about_other_classes_are_not_compared() -> None:
    one, other = tables(NODULES, a=random_patients(7)), tables(TWO, b=two(7))
    with pytest.raises(CompareError, match=r"benign, indeterminate, malignant; benign, malignant"):
        compare(one, other)


def test_a_problem_in_a_table_survives_parquet(tmp_path: Path) -> None:
    tables(NODULES, a=random_patients(8, 6)).votes.to_parquet(tmp_path / "votes.parquet")
    assert problem_of(pd.read_parquet(tmp_path / "votes.parquet")) == NODULES
