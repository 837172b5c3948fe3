"""Grades of patients with several scans: every patient weighs the same, and whole patients are drawn and swapped."""

import numpy as np
import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.scoring.calibration import reliability
from gliobench.scoring.clustered import OBUCHOWSKI, ScanCalls, auc_difference_error, scan_differences
from gliobench.scoring.compare import compare
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import AGRESTI_COULL, BOUNDED, MEAN, Bootstrap
from gliobench.scoring.paired import Calls, delong, grade_differences
from gliobench.scoring.score import SubjectScores, VoteRow
from gliobench.scoring.summary import PER_SUBJECT, Scores, summarise, votes_columns
from gliobench.scoring.votes import GradedPatient, Votes

QUICK = Bootstrap(resamples=400)


def calls(whose: str, truth: str, called: str, score: list[float], patients: str = "") -> ScanCalls:
    """Scans of patients of one letter each; grades as 1 and 0."""
    high, said = (np.array([one == "1" for one in text]) for text in (truth, called))
    return ScanCalls(tuple(whose), tuple(patients or dict.fromkeys(whose)), high, said, np.array(score))


def scan(truth: int, probability: float) -> GradedPatient:
    return GradedPatient(truth, int(probability >= 0.5), Votes((0, 0), 0, 0, (1 - probability, probability)))


def test_figures_of_scans_by_hand() -> None:
    """A and B are HGG, C and D LGG; A and D have two scans, which weigh a half each."""
    scans = [scan(1, 0.9), scan(1, 0.4), scan(1, 0.6), scan(0, 0.5), scan(0, 0.3), scan(0, 0.7)]
    figures = grade_figures(scans, QUICK, list("AABCDD"))
    # In order: A's 0.9 before all (1/2 x 2), A's 0.4 before D's 0.3 (1/2 x 1/2), B before C and D's 0.3 (3/2).
    assert figures["auc"].value == pytest.approx((1 + 0.25 + 1.5) / 4)
    assert figures["recall"].value == pytest.approx((0.5 + 1) / 2)
    assert figures["specificity"].value == pytest.approx((0 + 0.5) / 2)
    assert figures["balanced_accuracy"].value == pytest.approx((0.75 + 0.25) / 2)
    assert figures["accuracy"].value == pytest.approx((0.5 + 1 + 0 + 0.5) / 4)
    assert figures["precision"].value == pytest.approx(1.5 / (1.5 + 1 + 0.5))
    assert figures["f1"].value == pytest.approx(2 * 1.5 / (2 + 3))
    assert not figures["accuracy"].interval.startswith(AGRESTI_COULL)
    assert figures["brier"].value == pytest.approx(((0.01 + 0.36) / 2 + 0.16 + 0.25 + (0.09 + 0.49) / 2) / 4)


def test_every_scan_twice_says_no_more_than_once() -> None:
    random = np.random.default_rng(1)
    once = [scan(int(n % 3 > 0), float(random.beta(3, 2))) for n in range(18)]
    whose = [f"P{n}" for n in range(18)]
    single, double = grade_figures(once, QUICK), grade_figures(once * 2, QUICK, whose * 2)
    for name in set(single) - {"accuracy", "precision", "recall", "specificity"}:
        assert double[name].value == pytest.approx(single[name].value, abs=1e-6), name
        assert (double[name].low, double[name].high) == pytest.approx((single[name].low, single[name].high), abs=1e-6)
    accuracy = grade_figures(once * 2, QUICK, whose * 2)["accuracy"]
    (mean,) = QUICK.means(np.array([[float(one.predicted == one.truth)] for one in once]), [MEAN])
    assert (accuracy.value, accuracy.low, accuracy.high) == pytest.approx((mean.value, mean.low, mean.high))
    assert accuracy.interval == mean.interval
    assert mean.interval.startswith(BOUNDED)


def random_calls(random: np.random.Generator, patients: int, times: int) -> tuple[ScanCalls, ScanCalls]:
    """Two models about the same scans of patients who have both grades now and then."""
    whose = np.repeat(np.arange(patients), times)
    person, grade = random.normal(size=patients)[whose], random.normal(size=patients)[whose]
    truth = grade + 0.7 * random.normal(size=len(whose)) > 0
    sides = []
    for strength in (1.2, 0.6):
        score = strength * truth + person + random.normal(size=len(whose))
        names = tuple(f"P{one:03d}" for one in whose)
        sides.append(ScanCalls(names, tuple(dict.fromkeys(names)), truth, score > 0.5, score))
    return sides[0], sides[1]


def test_one_scan_each_gives_what_pairs_of_patients_give() -> None:
    a, b = random_calls(np.random.default_rng(0), 11, 1)
    found = scan_differences(a, b, QUICK, 5000)
    known = grade_differences(a.truth, Calls(a.called, a.score), Calls(b.called, b.score), QUICK, 5000)
    assert list(found) == list(known)
    for metric, one in known.items():
        assert (found[metric].value_a, found[metric].value_b) == pytest.approx((one.value_a, one.value_b)), metric
        if metric != "recall" and metric != "specificity":  # whose patients are drawn among those of the grade alone
            assert (found[metric].figure.low, found[metric].figure.high) == pytest.approx(
                (one.figure.low, one.figure.high)
            )
        assert found[metric].p == pytest.approx(one.p), metric  # all swaps of 11 patients: exact McNemar
    assert auc_difference_error(a, b) == pytest.approx(delong(a.truth, a.score, b.score)[2])
    assert found["auc"].test == OBUCHOWSKI


def test_scans_given_twice_leave_the_standard_error_of_delong() -> None:
    a, b = random_calls(np.random.default_rng(4), 20, 1)
    twice = [
        ScanCalls(one.whose * 2, one.patients, *(np.tile(x, 2) for x in (one.truth, one.called, one.score)))
        for one in (a, b)
    ]
    assert auc_difference_error(*twice) == pytest.approx(delong(a.truth, a.score, b.score)[2])


def obuchowski(truth: np.ndarray, scores: list[np.ndarray], whose: np.ndarray) -> float:
    """Her formulas as printed, sum by sum, for the difference of two areas; all scans weigh the same."""
    clusters = sorted(set(whose))
    high, low = np.flatnonzero(truth), np.flatnonzero(~truth)
    m, n = len(high), len(low)
    sums = []  # of each score: by cluster the components of its HGG and of its LGG scans, beyond the area
    for score in scores:
        psi = {(i, j): float(score[i] > score[j]) + 0.5 * float(score[i] == score[j]) for i in high for j in low}
        area = sum(psi.values()) / (m * n)
        tens, ones = [], []
        for cluster in clusters:
            own_high, own_low = ([i for i in part if whose[i] == cluster] for part in (high, low))
            tens.append(sum(sum(psi[i, j] for j in low) / n for i in own_high) - len(own_high) * area)
            ones.append(sum(sum(psi[i, j] for i in high) / m for j in own_low) - len(own_low) * area)
        sums.append((np.array(tens), np.array(ones)))
    tens, ones = sums[0][0] - sums[1][0], sums[0][1] - sums[1][1]
    i10, i01, i = len({*whose[high]}), len({*whose[low]}), len(clusters)
    s10 = i10 / ((i10 - 1) * m) * (tens**2).sum()
    s01 = i01 / ((i01 - 1) * n) * (ones**2).sum()
    s11 = i / (i - 1) * (tens * ones).sum()
    return float(np.sqrt(s10 / m + s01 / n + 2 * s11 / (m * n)))


def test_the_standard_error_is_obuchowskis_where_all_have_as_many_scans() -> None:
    for seed in range(5):
        a, b = random_calls(np.random.default_rng(seed), 15, 3)
        printed = obuchowski(a.truth, [a.score, b.score], np.array(a.whose))
        assert auc_difference_error(a, b) == pytest.approx(printed)


def test_the_standard_error_is_the_spread_over_many_cohorts() -> None:
    differences, errors = [], []
    for seed in range(600):
        a, b = random_calls(np.random.default_rng(seed), 50, 3)
        one = np.ones((1, 50))
        differences.append(float(a.auc(one)[0] - b.auc(one)[0]))
        errors.append(auc_difference_error(a, b))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(differences), rel=0.1)


def test_calls_are_swapped_by_patient() -> None:
    """One model right about all three scans of each of three patients, the other about none: 2 of 8 swaps."""
    truth = "110001111"
    wrong = "001110000"
    scores = [float(one) for one in truth]
    a, b = calls("AAABBBCCC", truth, truth, scores), calls("AAABBBCCC", truth, wrong, [1 - one for one in scores])
    found = scan_differences(a, b, QUICK, 1000)["accuracy"]
    assert (found.n, found.value_a, found.value_b, found.p) == (3, 1.0, 0.0, 0.25)


def test_what_is_not_defined_says_why() -> None:
    high = calls("AAB", "111", "111", [0.5, 0.6, 0.7])
    found = scan_differences(high, high, QUICK, 100)
    assert found["specificity"].test == found["auc"].test == "none: no LGG patient"
    assert found["accuracy"].p == 1
    few = calls("AAB", "110", "110", [0.9, 0.2, 0.5])
    assert found["precision"].value_a == 1
    assert (
        scan_differences(few, few, QUICK, 100)["auc"].test == "none: Obuchowski is not defined, too few patients for it"
    )


def vote(model: str, patient: str, time: int, grade: int, probability: float) -> VoteRow:
    votes = Votes((int(probability < 0.5), int(probability >= 0.5)), 0, 0, (1 - probability, probability))
    return VoteRow(model, "volume", f"{patient}-{time}", patient, grade, votes, int(probability >= 0.5))


def test_tables_of_grades_count_patients_and_keep_scans_among_the_votes() -> None:
    votes = [vote("m", "A", 0, 1, 0.9), vote("m", "A", 1, 1, 0.2), vote("m", "B", 0, 0, 0.1), vote("m", "C", 0, 1, 0.8)]
    made = summarise([SubjectScores((), (one,)) for one in votes], QUICK)
    accuracy = made.summary.set_index("metric").loc["accuracy"]
    assert (accuracy["value"], accuracy["n_subjects"]) == (pytest.approx((0.5 + 1 + 1) / 3), 3)
    assert dict(zip(made.per_subject["subject"], made.per_subject["value"], strict=True)) == {
        "A": 0.5,
        "B-0": 1,
        "C-0": 1,
    }
    assert list(made.votes["subject"]) == ["A-0", "A-1", "B-0", "C-0"]


def tables(rows: list[tuple[object, ...]], votes: list[VoteRow]) -> Scores:
    made = summarise([SubjectScores((), (one,)) for one in votes], QUICK)
    figures = pd.DataFrame(rows, columns=PER_SUBJECT).astype({"grade": "Int64", "value": float})
    return Scores(pd.concat([figures, made.per_subject]), pd.DataFrame(), made.votes)


def dice(model: str, subject: str, patient: str, value: float, n_scans: int = 1) -> tuple[object, ...]:
    return (model, "mask", "mask", "volume", subject, patient, None, "dice", value, 1, 1, n_scans)


def several_and_one() -> tuple[Scores, Scores]:
    """Patients A and B: two scans each in one run, the first alone in the other."""
    several = tables(
        [dice("a", "A", "A", 0.6, 2), dice("a", "B", "B", 0.8, 2)],
        [vote("a", "A", 0, 1, 0.9), vote("a", "A", 1, 1, 0.2), vote("a", "B", 0, 0, 0.1), vote("a", "B", 1, 0, 0.3)],
    )
    one = tables(
        [dice("b", "A-0", "A", 0.5), dice("b", "B-0", "B", 0.5), dice("b", "C-0", "C", 0.9)],
        [vote("b", "A", 0, 1, 0.4), vote("b", "B", 0, 0, 0.1), vote("b", "C", 0, 1, 0.6)],
    )
    return several, one


def test_a_run_of_several_scans_and_one_of_one_each_are_matched_by_patient() -> None:
    table = compare(*several_and_one(), QUICK).set_index("metric")
    assert (table.loc["dice", "n_subjects"], table.loc["dice", "difference"]) == (2, pytest.approx(0.2))
    assert table.loc["dice", "left_out"] == "only in b: C"
    assert "2 of 2 patients (A, B) do not have the same scans in a and b" in table.loc["dice", "words"]
    accuracy = table.loc["accuracy"]
    assert (accuracy["n_subjects"], accuracy["value_a"], accuracy["value_b"]) == (2, 0.75, 0.5)
    assert "2 patients have several scans" in accuracy["words"]


def test_tables_of_an_earlier_version_go_by_the_ids() -> None:
    """They had no column `patient`; a patient of several scans stood under the name that the ids give."""
    old = pd.DataFrame([dice("a", f"sub-{n}", "", 0.1 * n) for n in range(1, 5)], columns=PER_SUBJECT)
    new = pd.DataFrame([dice("b", f"sub-{n}_ses-1", f"sub-{n}", 0.1) for n in range(1, 5)], columns=PER_SUBJECT)
    nobody = pd.DataFrame([], columns=votes_columns(GLIOMA))
    sides = (Scores(table, pd.DataFrame(), nobody) for table in (old.drop(columns=["patient", "n_scans"]), new))
    (row,) = compare(*sides, QUICK).to_dict("records")
    assert (row["n_subjects"], row["difference"], row["left_out"]) == (4, pytest.approx(0.15), "")


def test_the_reliability_diagram_weighs_patients_and_draws_no_interval_of_scans() -> None:
    """One bin: A is HGG with three scans, B is LGG with one."""
    truth, said = np.array([True, True, True, False]), np.array([0.81, 0.82, 0.83, 0.86])
    (one,) = reliability(truth, said, list("AAAB"))
    assert (one.n, one.mean, one.share.value) == (4, pytest.approx((0.82 + 0.86) / 2), pytest.approx(0.5))
    assert np.isnan(one.share.low)
    (same,) = reliability(truth, said, list("ABCD"))
    assert same.share.value == 0.75
    assert same.share.interval.startswith(AGRESTI_COULL)
