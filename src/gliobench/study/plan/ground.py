"""What the plan of every model stands on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.splits import Fold
from gliobench.integrity import DamagedError, read_stamp
from gliobench.study.context import Context
from gliobench.study.plan.amounts import Amount, Missing, worst
from gliobench.study.plan.counts import Counts, Patient
from gliobench.study.plan.hardware import Hardware

GIB = 2**30


@dataclass(frozen=True)
class Ground:
    """A study and its folder, who takes part, this machine, and the hardware that the plan names."""

    context: Context
    counts: Counts
    here: Hardware
    there: Hardware

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Every fold in use."""
        return tuple(fold for round in self.counts.rounds for fold in round.folds.values())

    @property
    def tested(self) -> Amount:
        """How many patients are tested."""
        return Amount(len(self.counts.tested), self.counts.basis)

    def tested_on(self, task: str) -> tuple[str, ...]:
        """The tested patients whom a model is asked about for a task of the study: those with a truth."""
        return tuple(id for id in self.counts.tested if task in self.counts.patients[id].asked)

    def stamped(self, stage: str, seconds: float) -> Amount:
        """Hours of a stage: what it took before in this folder, else an estimate."""
        try:
            stamp = read_stamp(self.context.folder.stamp(stage))
        except (OSError, DamagedError):
            stamp = None
        return Amount(seconds / 3600, "estimate") if stamp is None else Amount(stamp.seconds / 3600, "measured")

    def trained(self, name: str, seconds: float) -> Amount:
        """Hours of a model's trainings on all folds in use: what they took where all were done, else an estimate."""
        folds = [number for round in self.counts.rounds for number in round.folds]
        took = [self.stamped(f"train-{name}-fold-{number}", 0.0) for number in folds]
        if not took or any(one.basis != "measured" for one in took):
            return Amount(seconds / 3600, "estimate")
        return Amount(sum(one.value for one in took), "measured")

    def untaught(self, name: str, folds: Iterable[Fold], teaches: Callable[[Patient], object]) -> Iterator[Missing]:
        """A line where on one of the folds nobody who `teaches` is learnt from, or nobody decides."""
        for fold in folds:
            for ids, what in ((fold.train, "learn from"), (fold.validation, "validate on")):
                if not any(teaches(self.counts.patients[id]) for id in ids):
                    yield Missing(name, f"no patient with a truth for its tasks to {what}: take the entry out")
                    return

    def ungraded(self, name: str, each: int) -> Iterator[Missing]:
        """A line where in one of the rounds fewer than `each` patients of either grade are learnt from."""
        for round in self.counts.rounds:
            found = [self.counts.patients[id].grade for id in round.learn if id not in round.validation]
            if min(found.count(LGG), found.count(HGG)) < each:
                counted = f"{found.count(LGG)} LGG and {found.count(HGG)} HGG"
                yield Missing(name, f"{each} training patients of each grade are needed, found {counted}: take it out")
                return


def hours(seconds: float) -> Amount:
    """An estimate."""
    return Amount(seconds / 3600, "estimate")


def gib(*bytes: float) -> Amount:
    """An estimate."""
    return Amount(sum(bytes) / GIB, "estimate")


def total(amounts: Iterable[Amount | None]) -> Amount | None:
    """The sum of those that are known; None where none is."""
    known = [one for one in amounts if one is not None]
    return Amount(sum(one.value for one in known), worst(*(one.basis for one in known))) if known else None
