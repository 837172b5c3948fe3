"""What a plan is made of: figures that say where they come from, steps, files and what is missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

GIB = 2**30
SCORE_SECONDS = 0.1  # a patient and model; docs/results
Basis = Literal["counted", "measured", "estimate"]
"""`counted`: on the prepared patients, files or checkpoint themselves. `measured`: in an earlier run in the output
folder. `estimate`: from an assumption, which the plan states."""


@dataclass(frozen=True)
class Estimate:
    """A figure and where it comes from."""

    value: float
    basis: Basis


@dataclass(frozen=True)
class Step:
    """One stage of one model (or of all, where `model` is empty).

    `patients`, `images` (slices shown), `questions`; tokens over all questions, `tokens_out` at most. Memory in GiB.
    `hours_here`: on this machine; `hours_there`: on the hardware that the plan names. `money` in `currency`.
    """

    stage: str
    model: str
    patients: Estimate
    images: Estimate | None = None
    questions: Estimate | None = None
    text_tokens_in: Estimate | None = None
    image_tokens_in: Estimate | None = None
    tokens_out: Estimate | None = None
    gpu_memory_gib: Estimate | None = None
    hours_here: Estimate | None = None
    hours_there: Estimate | None = None
    money: Estimate | None = None
    currency: str = ""


@dataclass(frozen=True)
class Files:
    """Something that takes room on disk, in GiB."""

    what: str
    where: str
    gib: Estimate


@dataclass(frozen=True)
class Missing:
    """Something that the study needs and that is not here. `concerns`: a model or a part of the study file."""

    concerns: str
    problem: str


@dataclass(frozen=True)
class ModelPlan:
    """What one model adds to a plan. `mask_bytes`: of its masks on disk; `said`: what was assumed for it alone."""

    steps: tuple[Step, ...] = ()
    files: tuple[Files, ...] = ()
    missing: tuple[Missing, ...] = ()
    mask_bytes: float = 0.0
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bill:
    """What a step costs on this machine and on the hardware that the plan names; of asking also for each patient."""

    stage: str
    model: str
    currency: str
    here: Estimate | None
    there: Estimate | None
    patient_here: Estimate | None
    patient_there: Estimate | None


@dataclass(frozen=True)
class Plan:
    """What a study takes. `there`: the hardware of `hours_there`; `here`: this machine, in words. `bills`: none where
    no price is given."""

    study: str
    here: str
    there: str
    steps: tuple[Step, ...]
    files: tuple[Files, ...]
    missing: tuple[Missing, ...]
    assumptions: tuple[str, ...]
    bills: tuple[Bill, ...] = ()


def worst(*bases: Basis) -> Basis:
    """What a figure made of several is."""
    return "estimate" if "estimate" in bases else "measured" if "measured" in bases else "counted"


def hours(seconds: float) -> Estimate:
    """An estimate."""
    return Estimate(seconds / 3600, "estimate")


def gib(*bytes: float) -> Estimate:
    """An estimate."""
    return Estimate(sum(bytes) / GIB, "estimate")


def total(amounts: Iterable[Estimate | None]) -> Estimate | None:
    """The sum of those that are known; None where none is."""
    known = [one for one in amounts if one is not None]
    return Estimate(sum(one.value for one in known), worst(*(one.basis for one in known))) if known else None
