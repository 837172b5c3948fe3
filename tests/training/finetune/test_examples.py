"""What is learnt from: true answers, and both grades alike without a copy."""

from collections import Counter

import numpy as np
from tests.training.finetune.made import patient

from gliobench.tasks.geometry import Grade, Point
from gliobench.training.finetune.examples import EpochSampler, Example, kinds, slice_examples, spread_out
from gliobench.training.finetune.fit import total_steps
from gliobench.training.finetune.settings import FinetuneSettings, draws, recorded


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
    three_to_one = kinds(slice_examples([patient(n) for n in (1, 3, 5, 2)], ("grade", "centre"), ("axial",))) * 50
    sampler = EpochSampler(three_to_one, FinetuneSettings(seed=3))
    drawn = Counter(three_to_one[place] for place in sampler)
    assert len(sampler) == 50 * 4 * 4 * 2 == sum(drawn.values())  # four slices of four patients, two tasks
    assert all(abs(drawn[task, grade] / len(sampler) - 0.25) < 0.04 for task in ("grade", "centre") for grade in (0, 1))


def test_copies_make_the_rarer_grade_as_frequent_and_leave_no_slice_out() -> None:
    """Five HGG slices and two LGG: ten draws, each HGG slice once, one LGG slice twice and one three times."""
    of_seven: list[tuple[str, int | None]] = [("grade", 1)] * 5 + [("grade", 0)] * 2
    sampler = EpochSampler(of_seven, FinetuneSettings(balance_grades="copies"))
    assert len(sampler) == 10
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        counts = Counter(orders[-1])
        assert [counts[place] for place in range(5)] == [1] * 5
        assert sorted((counts[5], counts[6])) == [2, 3]
    assert len(set(map(tuple, orders))) == 3
    assert orders[0] != sorted(orders[0])


def test_unbalanced_each_question_comes_once() -> None:
    of_seven: list[tuple[str, int | None]] = [("grade", 1)] * 5 + [("grade", 0)] * 2
    order = list(EpochSampler(of_seven, FinetuneSettings(balance_grades=False)))
    assert sorted(order) == list(range(7)) != order


def test_the_studys_epoch_is_178_steps() -> None:
    """Its notebook counts 1114 + 315 LGG and 4564 + 1125 HGG slices of its 310 patients, `trim: 20`; LGG are copied up
    to the 5689 of HGG, and a step takes 4 x 16: 2 x 5689 / 64 = 177.8."""
    settings = FinetuneSettings(patients="all", balance_grades="copies", trim=20, batch_size=16, accumulation=4)
    of_epoch = draws([1114 + 315, 4564 + 1125], settings)
    assert of_epoch == 11378
    assert total_steps(settings, int(of_epoch)) == 178
    # By weights an epoch has as many draws as there are slices: 7118 / 64 = 111.2.
    assert total_steps(settings, int(draws([1429, 5689], FinetuneSettings()))) == 112


def test_an_epochs_order_follows_from_seed_and_number_alone() -> None:
    alike: list[tuple[str, int | None]] = [("grade", 1)] * 40
    sampler = EpochSampler(alike, FinetuneSettings(seed=1))
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    later = EpochSampler(alike, FinetuneSettings(seed=1))
    later.set_epoch(1)
    assert list(later) == second


def test_what_earlier_trainings_go_on_from_is_known_by_the_settings_that_they_had() -> None:
    assert not {"patients", "balance_grades", "trim"} & set(recorded(FinetuneSettings()))
    assert recorded(FinetuneSettings(patients="all"))["patients"] == "all"
    assert recorded(FinetuneSettings(balance_grades=False))["balance_grades"] is False


def test_a_few_validation_slices_are_of_all_patients_and_tasks(examples: list[Example]) -> None:
    few = spread_out(examples, 6)
    assert Counter(one.question.task for one in few) == {"grade": 6, "centre": 6}
    assert len({one.question.subject.id for one in few}) == 6
    assert len(spread_out(examples, 1000)) == len(examples)
