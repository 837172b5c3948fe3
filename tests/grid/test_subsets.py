"""Subsets of training patients: nested, stratified, and of whole patients and groups."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gliobench.grid.subsets import count_patients, subset

CLASSES = st.lists(st.sampled_from([0, 1, 2, None]), min_size=1, max_size=30)


def cohort(classes: list[int | None]) -> dict[str, int | None]:
    return {f"P{place:02}": one for place, one in enumerate(classes)}


@given(CLASSES, st.integers(0, 2**32 - 1))
def test_a_smaller_subset_is_part_of_every_larger_one(classes: list[int | None], seed: int) -> None:
    grades = cohort(classes)
    found = [subset(tuple(grades), size, grades, {}, {}, [seed, 0, 1]) for size in range(1, len(grades) + 1)]
    assert [len(one) for one in found] == list(range(1, len(grades) + 1))
    assert all(set(smaller) < set(larger) for smaller, larger in pairwise(found))
    assert found[-1] == tuple(sorted(grades))


@given(CLASSES, st.integers(1, 30), st.integers(0, 99))
def test_each_class_has_its_share_of_every_subset(classes: list[int | None], size: int, seed: int) -> None:
    grades = cohort(classes)
    size, whole = min(size, len(classes)), Counter(classes)
    drawn = Counter(grades[id] for id in subset(tuple(grades), size, grades, {}, {}, [seed]))
    if size >= len(whole):
        assert set(drawn) == set(whole)
    # Adams' method rounds up: no class is a whole patient above its share for each other class.
    for one, count in whole.items():
        assert abs(drawn[one] - size * count / len(classes)) < max(1, len(whole) - 1)


def test_five_of_24_and_6() -> None:
    grades = cohort([1] * 24 + [0] * 6)
    drawn = [grades[id] for id in subset(tuple(grades), 5, grades, {}, {}, [0])]
    assert sorted(drawn, key=str) == [0, 1, 1, 1, 1]  # 5 * 6 / 30 = 1


@given(st.integers(1, 12), st.integers(0, 99))
def test_scans_of_a_patient_and_patients_of_a_group_stay_together(size: int, seed: int) -> None:
    patients = {f"scan{number:02}": f"patient{number // 2}" for number in range(24)}  # two scans each
    groups = {scan: f"pair{number // 4}" for number, scan in enumerate(patients)}  # two patients each
    grades = dict.fromkeys(patients, 1) | dict.fromkeys(list(patients)[:8], 0)
    found = subset(tuple(patients), size, grades, patients, groups, [seed])
    assert count_patients(found, patients) == size - size % 2
    assert all(count == 4 for count in Counter(groups[scan] for scan in found).values())


def test_repeats_are_other_draws_and_a_draw_is_the_same_again() -> None:
    grades = cohort([0, 1] * 10)
    drawn = [subset(tuple(grades), 6, grades, {}, {}, [0, fold, repeat]) for fold in range(2) for repeat in range(2)]
    assert len(set(drawn)) == 4
    assert drawn[0] == subset(tuple(reversed(grades)), 6, grades, {}, {}, [0, 0, 0])
