"""A column of grades has one meaning, and a WHO grade 1 is never HGG."""

import pytest

from gliobench.cohort.grades import WHO_RULE, ClassError, read_grades


@pytest.mark.parametrize(
    ("cells", "expected", "who"),
    [
        (["LGG", "hgg", " HGG ", ""], [0, 1, 1, None], False),
        (["0", "1", "1"], [0, 1, 1], False),
        (["0.0", "1.0", "nan"], [0, 1, None], False),
        (["True", "false", "TRUE"], [1, 0, 1], False),
        (["low-grade glioma", "High Grade"], [0, 1], False),
        (["2", "3", "4", "1"], [0, 0, 1, 0], True),
        (["2.0", "4.0", "<NA>"], [0, 1, None], True),
        (["II", "iii", "IV", "I"], [0, 0, 1, 0], True),
        (["WHO 2", "WHO grade IV", "grade 3", "WHO Grade 1"], [0, 1, 0, 0], True),
        (["HGG", "WHO II"], [1, 0], True),
    ],
)
def test_what_columns_mean(cells: list[str], expected: list[int | None], who: bool) -> None:
    assert read_grades(cells, "grade") == (expected, (WHO_RULE,) if who else ())


@pytest.mark.parametrize(
    ("cells", "at_fault"),
    [
        (["1", "1", "1"], [0, 1, 2]),  # all HGG, or all WHO 1
        (["LGG", "HGG", "1"], [2]),
        (["0", "1", "4"], [0, 1]),  # two meanings in one column
        (["5", "0", "1"], [0]),
        (["2-3", "II/III", "V", "GBM", "-1", "1.5", "high?"], [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_may_mean_two_things_is_refused(cells: list[str], at_fault: list[int]) -> None:
    grades, _ = read_grades(cells, "grade")
    assert [place for place, grade in enumerate(grades) if isinstance(grade, ClassError)] == at_fault


def test_a_columns_name_may_say_that_it_is_the_whos() -> None:
    assert read_grades(["1", "1"], "who_grade") == ([0, 0], (WHO_RULE,))
