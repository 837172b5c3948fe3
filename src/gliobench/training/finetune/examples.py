"""What a language model learns from: questions about single slices, each with its true answer."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gliobench.grid.frame import Plane, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import select_slices
from gliobench.models.errors import ModelError
from gliobench.models.prediction import Question
from gliobench.tasks.geometry import Grade, Mask, Value
from gliobench.tasks.registry import TASKS
from gliobench.training.finetune.settings import FinetuneSettings, steps_an_epoch, total_steps


@dataclass(frozen=True)
class Example:
    """A question and its true answer in the slice's own pixels; None where the slice has no tumour."""

    question: Question
    truth: Value | None


def slice_examples(
    subjects: Sequence[PreparedSubject],
    tasks: Sequence[str],
    planes: Sequence[Plane],
    *,
    every: int = 1,
    min_area_px: int = 1,
    trim: int = 0,
) -> list[Example]:
    """Every task about every `every`-th slice from a patient's first tumour slice to the last, less `trim` at each end.

    Patients without a mask are left out, those without a grade are not asked for one.
    """
    examples = []
    for subject in subjects:
        if subject.labels is None:
            continue
        for plane in planes:
            indices = select_slices(subject, plane, "oracle", every=every, min_area_px=min_area_px, trim=trim)
            examples += [
                Example(Question(subject, task, subject.frame(plane, index)), _truth(subject, task, plane, index))
                for index in indices
                for task in tasks
                if task != "grade" or subject.grade is not None
            ]
    return examples


def _truth(subject: PreparedSubject, task: str, plane: Plane, index: int) -> Value | None:
    if task == "grade":
        assert subject.grade is not None
        return Grade(subject.grade)
    return TASKS[task].truth(Mask(subject.frame(plane, index), take_slice(subject.tumour, plane, index)))


def spread_out(examples: Sequence[Example], most: int) -> list[Example]:
    """At most `most` examples of each task, evenly over the patients and their slices."""
    chosen = []
    for task in dict.fromkeys(example.question.task for example in examples):
        of_task = [example for example in examples if example.question.task == task]
        places = np.unique(np.linspace(0, len(of_task) - 1, min(most, len(of_task))).round().astype(int))
        chosen += [of_task[place] for place in places]
    return chosen


def patients(examples: Sequence[Example]) -> frozenset[str]:
    """The ids of those whom the examples are about."""
    return frozenset(example.question.subject.id for example in examples)


def check_patients(train: Sequence[Example], validation: Sequence[Example], tested: frozenset[str]) -> None:
    """Raise ModelError where there is nothing to learn from or to validate on, and where a patient is in two parts."""
    if not train or not validation:
        raise ModelError(
            f"{len(train)} slices to learn from and {len(validation)} to validate on: both need at least one, of "
            "patients with a mask and, to learn grades, a grade"
        )
    for name, both in (
        ("training and validation", patients(train) & patients(validation)),
        ("training and test", patients(train) & tested),
        ("validation and test", patients(validation) & tested),
    ):
        if both:
            raise ModelError(f"{', '.join(sorted(both)[:5])}: in {name}")


def weights(examples: Sequence[Example]) -> Tensor:
    """How often each example is drawn, float64, relative to the others: both grades and all tasks count alike."""
    kinds = [(example.question.task, example.question.subject.grade) for example in examples]
    counts = Counter(kinds)
    return torch.tensor([1 / counts[kind] for kind in kinds], dtype=torch.float64)


class BalancedSampler(torch.utils.data.Sampler[int]):
    """As many draws an epoch as there are weights; the seed and the epoch's number alone decide them.

    With replacement: an example of the rarer grade comes more often, and no copy of it is made.
    """

    def __init__(self, weights: Tensor, seed: int) -> None:
        self.weights, self.seed, self.epoch = weights, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer when an epoch begins."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.multinomial(self.weights, len(self), replacement=True, generator=generator).tolist())

    def __len__(self) -> int:
        return len(self.weights)


def drawn(examples: Sequence[Example], settings: FinetuneSettings) -> list[int]:
    """The examples' numbers in the order in which a whole training draws them, where no judgement ends it early."""
    sampler, an_epoch = BalancedSampler(weights(examples), settings.seed), steps_an_epoch(settings, len(examples))
    numbers: list[int] = []
    for epoch, first in enumerate(range(0, steps := total_steps(settings, len(examples)), an_epoch)):
        sampler.set_epoch(epoch)
        slices = min(steps - first, an_epoch) * settings.batch_size * settings.accumulation
        numbers += list(sampler)[:slices]
    return numbers
