"""Consistency: values by hand and by SciPy; the reference study's own counts among them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import entropy

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import SliceFrame
from gliobench.scoring.consistency import (
    UNANSWERED,
    Repeated,
    agreement,
    answer_text,
    distances_to_medoid_mm,
    entropy_bits,
    flip_rate,
    measure,
    pairwise_agreement,
)
from gliobench.scoring.intervals import AGRESTI_COULL, MEAN, Bootstrap
from gliobench.tasks.answer import Answer, Answered, Malformed, Refused
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon

FRAME = SliceFrame("axial", 7, (40, 50), (2.0, 1.0))


def grades(lgg: int, hgg: int, unanswered: int = 0) -> tuple[Answer, ...]:
    said = [Answered(Grade(0))] * lgg + [Answered(Grade(1))] * hgg
    return (*said, *[Malformed("?") if place % 2 else Refused("no") for place in range(unanswered)])


def repeated(subject: str, answers: tuple[Answer, ...], task: str = "grade", drawn: bool = True) -> Repeated:
    return Repeated("model", task, subject, 0, FRAME, answers, drawn, subject)


def values(table, subject: str | None) -> dict[str, float]:  # type: ignore[no-untyped-def]
    rows = table[table["subject"].isna() if subject is None else table["subject"] == subject]
    return dict(zip(rows["metric"], rows["value"], strict=True))


def row(table, subject: str | None, metric: str):  # type: ignore[no-untyped-def]
    rows = table[table["subject"].isna() if subject is None else table["subject"] == subject]
    return rows[rows["metric"] == metric].iloc[0]


def test_the_reference_studys_low_grade_image() -> None:
    """77 times HGG and 18 times LGG of 95 (section 4.3.4)."""
    counts = np.array([77, 18])
    assert agreement(counts) == pytest.approx(77 / 95)
    assert flip_rate(counts) == pytest.approx(18 / 95)
    assert pairwise_agreement(counts) == pytest.approx((77 * 76 + 18 * 17) / (95 * 94))
    assert entropy_bits(counts) == pytest.approx(entropy([77, 18], base=2))


@pytest.mark.parametrize("counts", [[95], [1, 1, 1, 1], [5, 3, 2], [42, 53], [1, 2, 3, 4, 5], [7, 0, 1]])
def test_entropy_equals_scipys(counts: list[int]) -> None:
    assert entropy_bits(np.array(counts)) == pytest.approx(entropy(counts, base=2), abs=1e-12)


def test_pairs_counted_one_by_one() -> None:
    """Of the ten pairs of A A A B C three are equal."""
    assert pairwise_agreement(np.array([3, 1, 1])) == pytest.approx(3 / 10)
    assert pairwise_agreement(np.array([5])) == 1
    assert math.isnan(pairwise_agreement(np.array([1])))


def test_unanswered_is_one_category_and_counts() -> None:
    one = repeated("a", grades(lgg=2, hgg=3, unanswered=5))
    assert one.counts == {"LGG": 2, "HGG": 3, UNANSWERED: 5}
    figures = measure([one]).figures
    assert values(figures, "a")["agreement"] == 0.5, "no usable answer is the commonest answer"
    assert (row(figures, "a", "agreement")["n_asked"], row(figures, "a", "agreement")["n_answered"]) == (10, 5)


def test_one_input_gets_the_interval_of_a_proportion_over_its_answers() -> None:
    """18 of 95: Agresti and Coull's formula, written out."""
    n, z = 95, 1.959963984540054
    middle = (18 + z * z / 2) / (n + z * z)
    half = z * math.sqrt(middle * (1 - middle) / (n + z * z))
    table = measure([repeated("a", grades(18, 77))]).figures
    for subject in ("a", None):
        flips = row(table, subject, "flip_rate")
        assert flips["interval"].startswith(AGRESTI_COULL)
        assert (flips["low"], flips["high"]) == pytest.approx((middle - half, middle + half))
    assert row(table, None, "entropy_bits")["reason"] == "one input"


def test_several_inputs_get_a_bootstrap_over_inputs() -> None:
    """Flip rates 0, 0.5, 0.25, 0.25: the mean is 0.25, with the interval of these four numbers."""
    counts = {"a": (0, 4), "b": (2, 2), "c": (1, 3), "d": (3, 1)}
    inputs = [repeated(name, grades(*pair)) for name, pair in counts.items()]
    table = measure(inputs).figures
    overall = row(table, None, "flip_rate")
    (expected,) = Bootstrap().means(np.array([[0.0], [0.5], [0.25], [0.25]]), [MEAN])
    assert overall["value"] == 0.25
    assert (overall["low"], overall["high"], overall["interval"]) == (expected.low, expected.high, expected.interval)
    assert (overall["n_inputs"], overall["n_asked"]) == (4, 16)
    assert table.equals(measure(inputs[::-1]).figures), "the order of the inputs makes no difference"


def test_greedy_decoding_agrees_by_construction_and_says_so() -> None:
    inputs = [repeated(name, grades(1, 0), drawn=False) for name in "ab"]
    table = measure(inputs).figures
    assert values(table, None) == {"agreement": 1, "pairwise_agreement": 1, "entropy_bits": 0, "flip_rate": 0}
    assert table["reason"].unique().tolist() == ["one answer by construction"]
    assert table[["low", "high"]].isna().all(axis=None)


def test_points_spread_about_their_medoid_in_millimetres() -> None:
    """Points at rows 0, 1, 2, 10 (2 mm a row): sums of distances 26, 22, 22, 54 mm; the medoid is row 1, the first
    of two. Distances from it 2, 0, 2, 18 mm, their median 2."""
    points = [Point(FRAME, row, 5) for row in (0, 1, 2, 10)]
    assert distances_to_medoid_mm(points).tolist() == [2, 0, 2, 18]
    table = measure([repeated("a", (*map(Answered, points), Malformed("?")), "centre")]).figures
    assert values(table, "a")["spread_mm"] == 2


def test_boxes_differ_by_the_mean_distance_of_their_corners() -> None:
    """One column (1 mm) wider moves two of the four corners by 1 mm; a shift by 3 rows moves all four by 6 mm."""
    box = Box(FRAME, 2, 2, 8, 8)
    assert distances_to_medoid_mm([box, box, Box(FRAME, 2, 2, 8, 9)]).tolist() == [0, 0, 0.5]
    assert distances_to_medoid_mm([box, box, Box(FRAME, 5, 2, 11, 8)]).tolist() == [0, 0, 6]
    polygon = Polygon(FRAME, ((2, 2), (2, 8), (11, 8), (8, 2)))
    assert distances_to_medoid_mm([box, box, polygon])[2] == 3, (
        "the polygon's box is 3 rows longer: two corners by 6 mm"
    )


def test_one_usable_place_has_no_spread() -> None:
    table = measure([repeated("a", (Answered(Point(FRAME, 1, 1)), Malformed("?")), "centre")]).figures
    spread = row(table, "a", "spread_mm")
    assert math.isnan(spread["value"])
    assert spread["reason"] == "too few answers with a location"


def test_answers_are_equal_only_where_they_say_the_same() -> None:
    pixels = np.zeros(FRAME.shape, dtype=bool)
    other = pixels.copy()
    other[3, 4] = True
    texts = [
        answer_text(Answered(value), GLIOMA)
        for value in (
            *(Grade(0), Grade(1), Grade(2)),
            *(Point(FRAME, 1, 2), Point(FRAME, 1, 2.5), Box(FRAME, 1, 2, 3, 4)),
            *(Mask(FRAME, pixels), Mask(FRAME, other), None),
        )
    ]
    assert len(set(texts)) == len(texts) - 2
    assert texts[2:5] == ["no glioma", "(1, 2)", "(1, 2.5)"]
    assert (texts[-3], texts[-1]) == ("no glioma", "no glioma"), "an empty mask, and an answer that there is none"


def test_that_there_is_no_tumour_is_an_answer_without_a_place() -> None:
    answers = (Answered(None), Answered(None), Answered(Point(FRAME, 1, 1)), Malformed("?"))
    measured = measure([repeated("a", answers, "centre")])
    assert dict(zip(measured.answers["answer"], measured.answers["count"], strict=True)) == {
        "no glioma": 2,
        "(1, 1)": 1,
        UNANSWERED: 1,
    }
    assert row(measured.figures, "a", "agreement")["n_answered"] == 3


def test_nothing_asked_gives_empty_tables() -> None:
    measured = measure([])
    assert measured.figures.empty
    assert measured.answers.empty


def test_the_table_of_answers_has_the_commonest_first() -> None:
    answers = measure([repeated("a", grades(lgg=18, hgg=77))]).answers
    assert list(zip(answers["answer"], answers["count"], strict=True)) == [("HGG", 77), ("LGG", 18)]


def test_inputs_of_one_patient_are_drawn_together() -> None:
    same, split = grades(lgg=0, hgg=4), grades(lgg=2, hgg=2)
    first = Repeated("m", "grade", "a", 1, FRAME, same, True, "a")
    second = Repeated("m", "grade", "a", 1, replace(FRAME, index=9), split, True, "a")
    alone = row(measure([first, second]).figures, None, "flip_rate")
    assert (alone["value"], alone["reason"], alone["n_inputs"]) == (0.25, "n=1", 2)
    other = Repeated("m", "grade", "b", 1, FRAME, split, True, "b")
    both = row(measure([first, second, other]).figures, None, "flip_rate")
    # With the weight w of a, whose inputs are 0 and 0.5: (0.5 w + 0.5 (1 - w)) / (2 w + 1 - w).
    assert both["value"] == pytest.approx(1 / 3)
    random = np.random.default_rng(5)
    drawn, ends = 0.5 / (1 + random.random(40_000)), random.dirichlet([2, 0.5, 0.5], 40_000)
    expected = np.quantile(ends[:, 0] * drawn + ends[:, 1], [0.025, 0.975])
    assert (both["low"], both["high"]) == pytest.approx(tuple(expected), abs=0.02)
