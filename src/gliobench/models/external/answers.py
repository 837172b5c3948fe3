"""External answers as models of a study: texts parsed as a live model's are, and masks resampled onto the patients'
grid."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.check import labels_in, whole_numbers
from gliobench.cohort.formats.stored import VolumeError, read_bytes
from gliobench.cohort.nifti import decode_volume
from gliobench.cohort.problem import Problem
from gliobench.grid.native import to_grid
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.classified import scored
from gliobench.models.base.errors import ModelError
from gliobench.models.base.operating_point import ClassProbability
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.language.conversation import read_answer
from gliobench.models.views.asking import asked_frame
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answer, Answered, Missing
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK
from gliobench.tasks.reading import READING_VERSION

CUT_OFF = "length"  # `finish` of an answer that the token limit ended
NO_ROW = "no external answer to this question"
NO_FILE = "no external mask of this patient"
MASK_FILE = ".nii.gz"
LABELS = range(5)  # of a mask with several parts; more of them are steps of a probability
READING = 2  # increased with every change of how a mask's file is read


@dataclass(frozen=True)
class Place:
    """What was asked: the task about one slice of a patient, or about the whole patient (no plane, no index)."""

    subject: str
    task: str
    plane: str | None = None
    index: int | None = None
    repeat: int = 0


def place_of(question: Question) -> Place:
    """The key of a question's external answer."""
    frame = question.frame
    return Place(
        question.subject.id,
        question.task,
        frame.plane if frame else None,
        frame.index if frame else None,
        question.repeat,
    )


@dataclass(frozen=True)
class GivenAnswer:
    """A model's external answer, verbatim; `text` None: there is no text, and `without_text` is the typed answer.

    `where`: file and line.
    `shape`: rows and columns of the slice as it was shown. `content`: digest of the image. `probability`: the
    probabilities of a class. Each is None where it is not known.
    """

    text: str | None
    where: str
    without_text: Answer
    shape: tuple[int, int] | None = None
    content: str | None = None
    probability: ClassProbability | None = None
    tokens: int | None = None
    finish: str | None = None


@dataclass(frozen=True, eq=False)
class ReplayedAnswers:
    """A model's answers about slices. `digest`: of their file. `view`: the view whose pixels they count. `remarks`:
    notes on what of the file was not read."""

    name: str
    tasks: frozenset[str]
    answers: Mapping[Place, GivenAnswer]
    digest: str
    view: View = field(default_factory=View)
    remarks: tuple[str, ...] = ()
    per_slice = True

    @property
    def settings(self) -> Settings:
        return {"engine": "replay", "answers": self.digest, "reading": READING_VERSION, **self.view.identity}

    @property
    def external(self) -> frozenset[Place]:
        """What there are answers to, whether the study asks it or not."""
        return frozenset(place for place in self.answers if place.task in self.tasks)

    def check(self, questions: Sequence[Question]) -> None:
        """Raise ModelError where an answer was given to a slice of another size or to another image."""
        for question in questions:
            given = self.answers.get(place_of(question))
            if given is None:
                continue
            shape = self.view.shown_frame(asked_frame(question)).shape
            if given.shape is not None and given.shape != shape:
                raise ModelError(
                    f"{given.where}: the slice was shown with {given.shape[0]} rows and {given.shape[1]} columns, and "
                    f"has {shape[0]} and {shape[1]} in this study: coordinates would not match; give this "
                    "study the grid and the view (`view: {scale: …}`) that the answers were made with"
                )
            if given.content is not None and given.content != question.subject.content:
                raise ModelError(
                    f"{given.where}: the answer is about another image of {question.subject.id} (content "
                    f"{given.content[:12]}…) than this study has ({question.subject.content[:12]}…): use the cohort "
                    "and the `grid:` and `region:` of the study that asked"
                )

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked; Missing where there is no answer. Raises as `check` does."""
        self.check(questions)
        return (self._read(question) for question in questions)

    def _read(self, question: Question) -> Prediction:
        given = self.answers.get(place_of(question))
        if given is None:
            return Prediction(question, Missing(NO_ROW))
        if given.text is None:
            return Prediction(question, given.without_text, tokens=given.tokens, finish=given.finish)
        probability = given.probability if question.task == GRADE.name else None
        score, probabilities = scored(probability)
        return Prediction(
            question,
            read_answer(question, given.text, given.finish == CUT_OFF, self.view),
            score=score,
            probabilities=probabilities,
            text=given.text,
            tokens=given.tokens,
            finish=given.finish,
        )


@dataclass(frozen=True, eq=False)
class ReplayedMasks:
    """Masks of whole patients: `<folder>/<patient>.nii.gz`, tumour where the label is above 0."""

    name: str
    folder: Path
    tasks = frozenset({MASK.name})
    remarks = ()
    per_slice = False

    @property
    def settings(self) -> Settings:
        return {"engine": "replay", "masks": self.digest, "reading": READING}

    @cached_property
    def digest(self) -> str:
        """Of the names and bytes of all files. Raises ModelError where there is none."""
        whole = hashlib.sha256()
        for path in self._paths:
            try:
                whole.update(f"{path.name} {hashlib.sha256(read_bytes(path)).hexdigest()}\n".encode())
            except VolumeError as error:
                raise ModelError(f"{path}: {error}") from error
        return whole.hexdigest()

    @property
    def external(self) -> frozenset[Place]:
        """Which patients have masks, whether the study asks about them or not."""
        return frozenset(Place(path.name.removesuffix(MASK_FILE), MASK.name) for path in self._paths)

    def check(self, questions: Sequence[Question]) -> None:
        """Raise ModelError listing every patient whose file is not a mask, or does not overlap the scan."""
        wrong = []
        for question in questions:
            try:
                self._mask(question.subject)
            except ModelError as error:
                wrong.append(str(error))
        if wrong:
            raise ModelError("\n".join(wrong))

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked; Missing where there is no file. Raises as `check` does."""
        for question in questions:
            mask = self._mask(question.subject)
            yield Prediction(question, Missing(NO_FILE) if mask is None else Answered(VolumeMask(mask)))

    @cached_property
    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            raise ModelError(f"{self.name}: masks: the folder {self.folder} does not exist")
        paths = sorted(self.folder.glob(f"[!.]*{MASK_FILE}"))
        if not paths:
            raise ModelError(f"{self.name}: masks: no <patient>{MASK_FILE} in {self.folder}")
        return paths

    def _mask(self, subject: PreparedSubject) -> NDArray[np.bool_] | None:
        path = self.folder / f"{subject.id}{MASK_FILE}"
        if not path.exists():
            return None
        try:
            voxels, affine = decode_volume(read_bytes(path))
            if voxels.ndim != 3:
                raise ValueError(f"expected a volume of three dimensions, found shape {voxels.shape}")
            if np.linalg.det(affine[:3, :3]) == 0:
                raise ValueError("the affine does not span three directions")
            labels = _mask_labels(voxels, subject.problem)
            if not subject.region.whole and len(labels_in(labels)) > 1:
                raise ValueError(
                    f"the mask has several labels, and the study asks about the {subject.region.title} alone: write "
                    "one value inside it, and 0 elsewhere"
                )
            return to_grid(labels, affine, subject)
        except ValueError as error:
            raise ModelError(f"{path}: {error}") from error


def _mask_labels(voxels: NDArray[np.generic], problem: Problem) -> NDArray[np.generic]:
    """The labels of a mask: 0 and one other value (1, or 255), or the parts 1 to 4 of a target. Raises ValueError."""
    labels = whole_numbers(voxels)
    values = labels_in(labels)
    if labels.dtype.kind not in "iu" or (values and values[0] < 0):
        raise ValueError("expected labels, whole numbers from 0; is this a probability map?")
    if len(values) > 1 and values[-1] not in LABELS:
        raise ValueError(
            f"expected the labels 1 to 4, or one value alone, found {len(values)} values up to {values[-1]:g}: is this "
            f"a map of probabilities? Write 1 in the {problem.finding_words}"
        )
    return labels
