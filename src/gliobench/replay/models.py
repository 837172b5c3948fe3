"""External answers as models of a study: texts parsed as a live model's are, classes and masks of whole patients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.check import labels_in, whole_numbers
from gliobench.cohort.formats.stored import read_bytes
from gliobench.cohort.nifti import decode_volume
from gliobench.cohort.problem import Problem
from gliobench.grid.native import to_grid
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.classified import scored
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.language.conversation import read_answer
from gliobench.models.views.asking import asked_frame
from gliobench.models.views.view import View
from gliobench.replay.answers import AnswersFile
from gliobench.replay.external import ExternalAnswer, Place
from gliobench.replay.readers import majority
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.grade import GRADE
from gliobench.tasks.reading import READING_VERSION

CUT_OFF = "length"  # `finish` of an answer that the token limit ended
NO_ROW = "no external answer to this question"
NO_PATIENT = "no external answer about this patient"
LABELS = range(5)  # of a mask with several parts; more of them are steps of a probability
READING = 2  # increased with every change of how a mask's file is read


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


@dataclass(frozen=True, eq=False)
class SliceAnswers:
    """A model's answers about slices. `view`: the view whose pixels they count."""

    name: str
    tasks: frozenset[str]
    file: AnswersFile
    view: View = field(default_factory=View)
    per_slice = True

    @property
    def digest(self) -> str:
        """Of the file."""
        return self.file.digest

    @property
    def settings(self) -> Settings:
        return {"engine": "replay", "answers": self.digest, "reading": READING_VERSION, **self.view.identity}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes on what of the file was not read."""
        return self.file.remarks

    @property
    def external(self) -> frozenset[Place]:
        """What there are answers to, whether the study asks it or not."""
        return frozenset(place for place in self.file.answers if place.task in self.tasks)

    def check(self, questions: Sequence[Question]) -> None:
        """Raise ModelError where an answer was given to a slice of another size or to another image."""
        for question in questions:
            given = self.file.answers.get(place_of(question))
            if given is None:
                continue
            shape = self.view.shown_frame(asked_frame(question)).shape
            if given.shape is not None and given.shape != shape:
                raise ModelError(
                    f"{given.where}: the slice was shown with {given.shape[0]} rows and {given.shape[1]} columns, and "
                    f"has {shape[0]} and {shape[1]} in this study: coordinates would not match; give this "
                    "study the grid and the view (`view: {scale: …}`) that the answers were made with"
                )
            _check_content(given, question)

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked; Missing where there is no answer. Raises as `check` does."""
        self.check(questions)
        return (self._read(question) for question in questions)

    def _read(self, question: Question) -> Prediction:
        given = self.file.answers.get(place_of(question))
        if given is None:
            return Prediction(question, Missing(NO_ROW))
        if given.text is None:
            assert given.answer is not None
            return Prediction(question, given.answer, tokens=given.tokens, finish=given.finish)
        score, probabilities = scored(given.probability if question.task == GRADE.name else None)
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
class PatientAnswers:
    """Classes and masks of whole patients. `readers`: the answers of each; of several their majority counts."""

    name: str
    tasks: frozenset[str]
    readers: Sequence[AnswersFile]
    per_slice = False

    @property
    def digest(self) -> str:
        """Of the table and all masks."""
        return self.readers[0].digest

    @property
    def settings(self) -> Settings:
        readers = ", ".join(one.reader for one in self.readers if one.reader)
        version = f"{READING_VERSION}, masks {READING}"
        return {"engine": "replay", "patients": self.digest, "readers": readers, "reading": version}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes on what could not be read."""
        return tuple(dict.fromkeys(remark for one in self.readers for remark in one.remarks))

    @property
    def external(self) -> frozenset[Place]:
        """What there are answers to, whether the study asks it or not."""
        return frozenset(place for one in self.readers for place in one.answers if place.task in self.tasks)

    def check(self, questions: Sequence[Question]) -> None:
        """Raise ModelError listing every patient whose file is not a mask, or does not overlap the scan."""
        wrong = []
        for question in questions:
            try:
                self._read(question)
            except ModelError as error:
                wrong.append(str(error))
        if wrong:
            raise ModelError("\n".join(wrong))

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked; Missing where there is no answer. Raises as `check` does."""
        return (self._read(question) for question in questions)

    def _read(self, question: Question) -> Prediction:
        given = [one.answers.get(place_of(question)) for one in self.readers]
        said = [_of_patient(question, one) for one in given if one is not None]
        if not said:
            return Prediction(question, Missing(NO_PATIENT))
        return said[0] if len(self.readers) == 1 else majority(question, said)


def _check_content(given: ExternalAnswer, question: Question) -> None:
    if given.content is not None and given.content != question.subject.content:
        raise ModelError(
            f"{given.where}: the answer is about another image of {question.subject.id} (content "
            f"{given.content[:12]}…) than this study has ({question.subject.content[:12]}…): use the cohort "
            "and the `grid:` and `region:` of the study that asked"
        )


def _of_patient(question: Question, given: ExternalAnswer) -> Prediction:
    _check_content(given, question)
    if given.answer is not None:
        score, probabilities = scored(given.probability)
        return Prediction(question, given.answer, score=score, probabilities=probabilities, text=given.text)
    assert given.text is not None
    return Prediction(question, Answered(VolumeMask(_mask(Path(given.text), question.subject))))


def _mask(path: Path, subject: PreparedSubject) -> NDArray[np.bool_]:
    """A mask's file on the patient's grid. Raises ModelError."""
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
