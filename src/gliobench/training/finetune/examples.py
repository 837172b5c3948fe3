"""Training examples of a language model: questions about single slices, each with its true answer."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import select_slices
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import TASKS
from gliobench.training.finetune.settings import FinetuneSettings, draws, steps_an_epoch, total_steps

Kind = tuple[str, int | None]  # task and grade


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

    Patients without a mask are skipped, and so are questions whose truth is unknown.
    """
    examples = []
    for subject in subjects:
        if subject.labels is None:
            continue
        for plane in planes:
            indices = select_slices(subject, plane, "oracle", every=every, min_area_px=min_area_px, trim=trim)
            examples += [
                Example(Question(subject, task, frame), TASKS[task].truth(subject, frame))
                for frame in (subject.frame(plane, index) for index in indices)
                for task in tasks
                if TASKS[task].has_truth(subject)
            ]
    return examples


def spread_out(examples: Sequence[Example], most: int) -> list[Example]:
    """At most `most` examples of each task, evenly over the patients and their slices."""
    chosen = []
    for task in dict.fromkeys(example.question.task for example in examples):
        of_task = [example for example in examples if example.question.task == task]
        places = np.unique(np.linspace(0, len(of_task) - 1, min(most, len(of_task))).round().astype(int))
        chosen += [of_task[place] for place in places]
    return chosen


def kinds(examples: Sequence[Example]) -> list[Kind]:
    """Task and grade of each example."""
    return [(example.question.task, example.question.subject.grade) for example in examples]


def patients(examples: Sequence[Example]) -> frozenset[str]:
    """The patients of the examples; a patient can have several scans."""
    return frozenset(example.question.subject.patient for example in examples)


def check_patients(
    train: Sequence[Example], validation: Sequence[Example], tested: frozenset[str], settings: FinetuneSettings
) -> None:
    """Raise ModelError without training or validation examples, and where a patient is in two parts."""
    if not train or bool(validation) != (settings.patients == "training"):
        raise ModelError(
            f"{len(train)} training slices and {len(validation)} validation slices: both need at least one, of "
            "patients with a truth for the tasks"
        )
    for name, both in (
        ("training and validation", patients(train) & patients(validation)),
        ("training and test", patients(train) & tested),
        ("validation and test", patients(validation) & tested),
    ):
        if both:
            raise ModelError(f"{', '.join(sorted(both)[:5])}: in {name}")


class EpochSampler(torch.utils.data.Sampler[int]):
    """The examples of an epoch and their order, determined by the seed and the epoch's number alone.

    `kinds` of the examples, which `settings.balance_grades` balances: by sampling with replacement, with `copies` so
    that each example comes at least once, or not at all.
    """

    def __init__(self, kinds: Sequence[Kind], settings: FinetuneSettings) -> None:
        self.kinds, self.settings, self.epoch = kinds, settings, 0
        self.draws = int(draws(Counter(kinds).values(), settings))

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer when an epoch begins."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + self.epoch)
        if self.settings.balance_grades == "copies":
            return iter(_copied(self.kinds, generator).tolist())
        if self.settings.balance_grades:
            drawn = torch.multinomial(_weights(self.kinds), self.draws, replacement=True, generator=generator)
            return iter(drawn.tolist())
        return iter(torch.randperm(self.draws, generator=generator).tolist())

    def __len__(self) -> int:
        return self.draws


def _weights(kinds: Sequence[Kind]) -> Tensor:
    """Sampling weights of the examples, float64: each kind is drawn as often as any other."""
    counts = Counter(kinds)
    return torch.tensor([1 / counts[kind] for kind in kinds], dtype=torch.float64)


def _copied(kinds: Sequence[Kind], generator: torch.Generator) -> Tensor:
    """All indices in random order, those of rarer kinds repeated until each kind is as frequent as the most
    frequent."""
    places: dict[Kind, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    most = max(len(own) for own in places.values())
    drawn = []
    for own in places.values():
        rounds = [torch.randperm(len(own), generator=generator) for _ in range(-(-most // len(own)))]
        drawn.append(torch.tensor(own)[torch.cat(rounds)[:most]])
    together = torch.cat(drawn)
    return together[torch.randperm(len(together), generator=generator)]


def drawn(examples: Sequence[Example], settings: FinetuneSettings) -> list[int]:
    """The examples' numbers in the order in which a full training draws them, without early stopping."""
    sampler = EpochSampler(kinds(examples), settings)
    an_epoch, steps = (count(settings, len(sampler)) for count in (steps_an_epoch, total_steps))
    numbers: list[int] = []
    for epoch, first in enumerate(range(0, steps, an_epoch)):
        sampler.set_epoch(epoch)
        slices = min(steps - first, an_epoch) * settings.batch_size * settings.accumulation
        numbers += list(sampler)[:slices]
    return numbers
