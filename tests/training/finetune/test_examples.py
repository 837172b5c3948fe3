"""What is learnt from: true answers, and both grades alike without a copy."""

from collections import Counter

import numpy as np
import pytest
import torch
from tests.training.finetune.made import patient

from gliobench.tasks.geometry import Grade, Point
from gliobench.training.finetune.examples import BalancedSampler, Example, slice_examples, spread_out, weights


def test_answers_are_the_truth_of_the_slice_and_none_between_two_lesions(examples: list[Example]) -> None:
    of_one = [one for one in examples if one.question.subject.id == "P1"]
    assert [(one.question.task, one.question.frame.index) for one in of_one if one.question.frame] == [
        (task, index) for index in (1, 2, 3, 4) for task in ("grade", "centre")
    ]
    rows, columns = np.nonzero(patient(1).tumour[1])
    centre = of_one[1].truth
    assert isinstance(centre, Point)
    assert (centre.row, centre.column) == ((rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2)
    assert of_one[3].truth is None
    assert {one.truth for one in of_one if one.question.task == "grade"} == {Grade(1)}


def test_both_grades_and_all_tasks_are_drawn_alike_whatever_their_number() -> None:
    three_to_one = slice_examples([patient(n) for n in (1, 3, 5, 2)], ("grade", "centre"), ("axial",))
    of_kind = weights(three_to_one)
    for grade in (0, 1):
        shares = [
            w for w, one in zip(of_kind.tolist(), three_to_one, strict=True) if one.question.subject.grade == grade
        ]
        assert sum(shares) == pytest.approx(2)  # of each task 1
    sampler = BalancedSampler(of_kind.repeat(50), seed=3)
    drawn = Counter(three_to_one[place % len(three_to_one)].question.subject.grade for place in sampler)
    assert len(sampler) == 50 * len(three_to_one) == sum(drawn.values())
    assert abs(drawn[0] / len(sampler) - 0.5) < 0.04


def test_an_epochs_order_follows_from_seed_and_number_alone() -> None:
    sampler = BalancedSampler(torch.ones(40), seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    later = BalancedSampler(torch.ones(40), seed=1)
    later.set_epoch(1)
    assert list(later) == second


def test_a_few_validation_slices_are_of_all_patients_and_tasks(examples: list[Example]) -> None:
    few = spread_out(examples, 6)
    assert Counter(one.question.task for one in few) == {"grade": 6, "centre": 6}
    assert len({one.question.subject.id for one in few}) == 6
    assert len(spread_out(examples, 1000)) == len(examples)
