"""Whether the class can be read off the source: probabilities by counting."""

import pytest

from gliobench.cohort.problem import GLIOMA, NODULES
from gliobench.scoring.origins import origin_test


def test_the_eight_real_patients() -> None:
    """4 HGG of three sources and 4 LGG of a fourth: of the 70 ways to deal the grades, the fourth source has one grade
    only in 2."""
    found = origin_test([1, 1, 1, 1, 0, 0, 0, 0], ["01", "01", "02", "03", *["09"] * 4], GLIOMA)
    assert found is not None
    assert (found.patients, found.sources, found.pure, found.right, found.commonest, found.auc) == (8, 4, 8, 8, 4, 1.0)
    assert found.p == pytest.approx(2 / 70, abs=0.006)
    assert found.readable


def test_patients_of_a_source_each_are_no_finding() -> None:
    found = origin_test([1, 1, 0, 0], ["a", "b", "c", "d"], GLIOMA)
    assert found is not None
    assert (found.auc, found.right, found.p, found.readable) == (1.0, 4, 1.0, False)


def test_several_classes_of_which_one_is_absent() -> None:
    found = origin_test([0, 0, 2, 2] * 5, ["a", "a", "b", "b"] * 5, NODULES)
    assert found is not None
    assert (found.auc, found.pure, found.readable) == (None, 20, True)


@pytest.mark.parametrize(("classes", "origins"), [([0, 1], ["a", "a"]), ([1, 1], ["a", "b"]), ([], [])])
def test_one_source_or_one_class_tells_nothing(classes: list[int], origins: list[str]) -> None:
    assert origin_test(classes, origins, GLIOMA) is None
