"""What a report is made of: tables, curves, pictures and words, all computed beforehand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.subject import Fault
from gliobench.grid.frame import Plane
from gliobench.scoring.consistency import Consistency
from gliobench.scoring.controls import ControlScores
from gliobench.scoring.learning_curve import CurveTables
from gliobench.scoring.seeds import SeedTables, VariedTables
from gliobench.scoring.votes import Votes
from gliobench.tasks.geometry import Placed, Value


@dataclass(frozen=True)
class Part:
    """One part of the split, such as "test": `n` patients, and how many of them have each class."""

    name: str
    n: int
    classes: tuple[int, ...]


@dataclass(frozen=True)
class FlowFold:
    """How many train, validate and test in one fold."""

    number: int
    training: int
    validation: int
    test: int

    @property
    def words(self) -> str:
        return f"fold {self.number}: {self.training} training, {self.validation} validation, {self.test} test"


@dataclass(frozen=True)
class Flow:
    """What became of all who were found. `unit`: "patients", or "scans" where some have several; all counts are of it.

    `left_out`: by reason, how many, most frequent first; `unused`: prepared, and in no part of the split.
    """

    unit: str
    found: int
    left_out: tuple[tuple[str, int], ...]
    unused: int
    folds: tuple[FlowFold, ...]

    @property
    def excluded(self) -> int:
        """How many were left out."""
        return sum(count for _, count in self.left_out)

    @property
    def words(self) -> str:
        """The flow as sentences."""
        reasons = "; ".join(f"{count}: {reason}" for reason, count in self.left_out)
        out = f"{self.excluded} left out" + (f" ({reasons})" if reasons else "")
        unused = f", {self.unused} in no part of the split" if self.unused else ""
        folds = "; ".join(fold.words for fold in self.folds)
        return f"{self.found} {self.unit} found, {out}, {self.found - self.excluded} prepared{unused}. {folds}."


@dataclass(frozen=True, eq=False)
class GalleryItem:
    """One slice with its truth and what every model answered about it.

    `image`: (rows, columns) uint8. `answers`: by model; None is a question without a usable answer, a model that
    is absent was not asked. `grade`: the number of the class or None where it is unknown. `truth`: None where it is not
    known. `task`: what all of them were asked; empty where it is each model's finest.
    """

    subject: str
    grade: int | None
    plane: Plane
    index: int
    image: NDArray[np.uint8]
    truth: Placed | None
    answers: Mapping[str, Value | None]
    task: str = ""
    problem: Problem = GLIOMA


@dataclass(frozen=True)
class ProtocolRow:
    """One figure of recorded answers, as text, under both protocols; `why` they differ."""

    figure: str
    published: str
    standard: str
    why: str


@dataclass(frozen=True)
class ProtocolComparison:
    """A model's figures under both protocols, what was left out, and constants that others published beside them."""

    model: str
    task: str
    rows: Sequence[ProtocolRow]
    changes: Sequence[str]


@dataclass(frozen=True)
class Constant:
    """Published figures that cannot be recomputed here: name and value."""

    name: str
    task: str
    source: str
    figures: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class OutlineItem:
    """One patient's truth and what one model answered, for the slices of one plane that are drawn.

    `affine`: (4, 4), voxel (depth, height, width) to world millimetres (RAS+). `task`: what the model answered.
    `per_slice`: whether `n_asked` and `n_answered` count slices, or the whole patient as one question.
    `axes`: what runs along the world's three axes; None: from right to left, back to front and bottom to top.
    """

    subject: str
    grade: int | None
    model: str
    task: str
    plane: Plane
    affine: NDArray[np.float64]
    truth: Sequence[Placed]
    answer: Sequence[Placed]
    per_slice: bool
    n_asked: int
    n_answered: int
    axes: tuple[str, str, str] | None = None
    problem: Problem = GLIOMA


@dataclass(frozen=True)
class Said:
    """One answer: about a slice, or about the whole patient where `index` is None. `text`: to the letter. `fault`: the
    kind of an answer that cannot be used, such as "malformed"; empty where it can. `truth`: in words; empty for grades.
    `score`: of two classes the model's own probability of the positive one, or None; `probabilities`: of more, of each.
    """

    index: int | None
    text: str
    fault: str = ""
    truth: str = ""
    score: float | None = None
    probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Sample:
    """What a model said about one patient, to one task in one plane (None: about the whole patient).

    `grade`, `called`: the number of the class or None, the truth and what counts as the model's. `votes`: of classes.
    `tally`: the same counts as the file of external answers states them.
    """

    model: str
    subject: str
    task: str
    plane: Plane | None
    grade: int | None
    said: tuple[Said, ...]
    votes: Votes | None = None
    called: int | None = None
    tally: tuple[int, ...] | None = None
    problem: Problem = GLIOMA


@dataclass(frozen=True)
class Fitted:
    """A network's final figures on its training and validation patients. `figures`: by part, "training" or
    "validation", then by metric: value (NaN: not defined) and number of patients."""

    model: str
    fold: int
    task: str
    figures: Mapping[str, Mapping[str, tuple[float, int]]]


@dataclass(frozen=True)
class Money:
    """What a model cost in this run, to train, to ask about all patients, and to ask about one of them; None: not
    known."""

    currency: str
    learning: float | None
    answering: float | None
    patient: float | None


@dataclass(frozen=True)
class Cost:
    """What a model took in this run: seconds to learn in stages of its own (0: it has none) and to answer; None: not
    known. `where`: the hardware, in words, empty where nobody knows. `money`: what that cost; None: no price is
    given."""

    learning_s: float | None
    answering_s: float | None
    where: str = ""
    money: Money | None = None


@dataclass(frozen=True)
class Pretrained:
    """A model that was pretrained elsewhere, and its checkpoint. `seen`: the patients of that training in words, as the
    study file declares it; `tested`: those of them who are tested here."""

    model: str
    checkpoint: str
    seen: str
    tested: tuple[str, ...]


@dataclass(frozen=True)
class PartFigure:
    """A figure on one part of the split; NaN: not defined, or without an interval. `n` patients, None: not counted."""

    value: float
    n: int | None = None
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Setting:
    """One of several settings that were tried. `figures`: by part, "training", "validation" or "test", then by metric.

    `note`: why figures are missing, such as "diverged".
    """

    name: str
    settings: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, PartFigure]]
    chosen: bool = False
    note: str = ""


@dataclass(frozen=True)
class Settings:
    """Settings of one network, or of what was fine-tuned from one checkpoint, beside each other. `words`: what their
    figures are, and are not."""

    title: str
    words: str
    tried: Sequence[Setting]


@dataclass(frozen=True, eq=False)
class ReportContents:
    """Everything on the page.

    `summary`: model, task (scored as), source (task the model answered), plane, metric, unit, value, low, high,
        interval (its method, or why there is none), n_subjects, n_asked, n_answered, coverage.
    `per_subject`: model, task, source, plane, subject, patient, grade, metric, value, n_asked, n_answered, n_scans.
    `votes`: the columns of `gliobench.scoring.summary.votes_columns`.
    `comparisons`: models against baselines, the columns of `gliobench.scoring.compare.COMPARED`; None: not compared.
    `planned`: the planned comparisons, the columns of `gliobench.scoring.planned.PLANNED`; None: there are none.
    `choices`: who was weighed for a camp: task, camp, round, model, metric, validation, chosen. `costs`: by compared
    model. `prices`: what hours and tokens cost, in words; empty where no price is given.
    `decision`: decision curves, the columns of `gliobench.scoring.decision_curve.COLUMNS`; None: there are none.
    `by_shape`, `by_fold`: Dice of masks among hard patients and fold by fold: model, group, n, mean, median.
    `subgroups`: figures by subgroup, the columns of `gliobench.scoring.subgroups.SUBGROUPS`; None: there are none.
    `gaps`: between each model's worst and best of them, the columns of `gliobench.scoring.subgroups.GAPS`.
    `by_site`: first figures by site, that of all sites first; None: patients of one.
    `samples`: of language models' grades, whole patients answer by answer.
    `curves`: by model: epoch or step, train_loss, validation_loss, validation_metric, and of networks train_accuracy
        and validation_accuracy, or train_dice and validation_dice; earlier versions' have none. `losses`: by fine-tuned
        model: step, train_loss of every step. `fitted`: networks' figures on their training and validation patients.
    `settings`: all that were tried of one model, beside each other.
    `checks`: by fine-tuned model, the verdicts after its training, in words.
    `baselines`: the names of the models that are trivial baselines. `references`: of rows that are no models and
        compete with none: human readers. `marks`: by model, a word that stands beside its name everywhere, such as
        "untrained". `oracles`: where the truth was used to make an input, in words.
    `cautions`: what a reader has to know of these patients before any figure.
    `sides`: of a replay, each model under both protocols; `constants`: published figures beside them.
    `consistency`: the answers to one input asked again and again; None where nothing was. `sampling`: by model, how
    those answers were drawn, in words.
    `controls`: the answers about changed images; None where none were asked for. `checkpoints`: what pretrained models
    are declared to have seen.
    `learning`: learning curves; None where none were asked for. `seeds`, `sensitivity`: the same of further seeds, and
    of other prompts and views.
    `flow`: what became of all who were found; None where that is not known. `facts`: what the run knows of itself, in
    sentences by name, for reporting checklists.
    `region`: the part of the target that all places are of, in words. `problem`: what the study is about. `provenance`:
    name and value, in the order to print. `faults`: the patients left out.
    """

    title: str
    study: str
    cohort: str
    parts: Sequence[Part]
    summary: pd.DataFrame
    per_subject: pd.DataFrame
    votes: pd.DataFrame
    baselines: frozenset[str]
    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    losses: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    fitted: Sequence[Fitted] = ()
    settings: Sequence[Settings] = ()
    checks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    samples: Sequence[Sample] = ()
    gallery: Sequence[GalleryItem] = ()
    outlines: Sequence[OutlineItem] = ()
    faults: Sequence[Fault] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    oracles: Sequence[str] = ()
    notes: Sequence[str] = ()
    cautions: Sequence[str] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    references: frozenset[str] = frozenset()
    comparisons: pd.DataFrame | None = None
    planned: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None
    costs: Mapping[str, Cost] = field(default_factory=dict)
    prices: str = ""
    decision: pd.DataFrame | None = None
    by_shape: pd.DataFrame | None = None
    by_fold: pd.DataFrame | None = None
    subgroups: pd.DataFrame | None = None
    by_site: pd.DataFrame | None = None
    gaps: pd.DataFrame | None = None
    sides: Sequence[ProtocolComparison] = ()
    constants: Sequence[Constant] = ()
    consistency: Consistency | None = None
    sampling: Mapping[str, str] = field(default_factory=dict)
    controls: ControlScores | None = None
    checkpoints: Sequence[Pretrained] = ()
    learning: CurveTables | None = None
    seeds: SeedTables | None = None
    sensitivity: VariedTables | None = None
    flow: Flow | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    region: str = "whole tumour"
    problem: Problem = GLIOMA

    @property
    def of_one_run(self) -> bool:
        """Whether it is the report of one run, which has trained its models and has the images."""
        return not self.sides and self.by_site is None

    @property
    def models(self) -> list[str]:
        """The models that were scored: no trivial baselines, no references."""
        return [name for name in dict.fromkeys(self.summary["model"]) if name not in self.baselines | self.references]
