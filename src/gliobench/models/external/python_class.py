"""A user's own Python class as a model: it returns plain values, which become typed answers.

    class Mine:
        tasks = ["grade"]      # grade and mask of whole patients; with per_slice also centre, box and polygon

        def fit(self, train, validation):   # optional; patients (`PreparedSubject`) with grade and mask
            ...

        def predict(self, questions):       # in the order asked; patients without grade and mask
            for question in questions:
                yield 0.7                   # grade: probability of the positive class (HGG)

Values: of two classes the positive one's probability, of more the probability of each, in their order; (row, column);
(row_min, column_min, row_max, column_max); a list of (row, column); a mask as an array of the slice's or the volume's
shape. None: there is no tumour.
"""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.classified import checked_probability, classified
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.geometry import Polygon, Value, VolumeMask
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK
from gliobench.tasks.registry import TASKS, plain, task_about

WHOLE = (GRADE.name, MASK.name)  # tasks about whole patients
LEAST_POINTS = 3  # of an outline
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class OwnModel:
    """An instance of the class that `source` names (`module:Class`, or `path/to/file.py:Class`).

    `content`: SHA-256 of its file: a changed file is queried again. An error in the class becomes a ModelError that
    names its line.
    """

    name: str
    source: str
    model: Any
    content: str

    @property
    def tasks(self) -> frozenset[str]:
        return frozenset(self.model.tasks)

    @cached_property
    def per_slice(self) -> bool:
        return bool(getattr(self.model, "per_slice", False))

    @property
    def settings(self) -> Settings:
        return {"engine": "python", "source": Path(self.source).name, "content": self.content}

    @property
    def learns(self) -> bool:
        """Whether it has a `fit`."""
        return hasattr(self.model, "fit")

    def fit(self, train: Sequence[PreparedSubject], validation: Sequence[PreparedSubject]) -> None:
        """Call its `fit`, where it has one, with patients and their truth."""
        if self.learns:
            self._call("fit", lambda: self.model.fit(train, validation))

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked; the class never sees the patients' truth."""
        blind = [replace(one, subject=replace(one.subject, grade=None, labels=None)) for one in questions]
        values = self._call("predict", lambda: iter(self.model.predict(blind)))
        for place, question in enumerate(questions):
            start = perf_counter()
            value = self._call("predict", lambda: next(values, StopIteration))
            if value is StopIteration:
                raise ModelError(f"{self.source}: predict gave {place} answers to {len(questions)} questions")
            yield replace(self._prediction(question, value), seconds=perf_counter() - start)

    def _prediction(self, question: Question, value: Any) -> Prediction:
        if value is None:
            return Prediction(question, Answered(None))
        try:
            if question.task == GRADE.name:
                return _graded(question, value)
            return Prediction(question, Answered(_value(question, value)))
        except (TypeError, ValueError) as error:
            return Prediction(
                question, Malformed(f"{type(value).__name__} is not an answer to {question.task}: {error}")
            )

    def _call(self, method: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            raise ModelError(f"{self.source}: {method} raised {_where(error)}") from error


def load_own(name: str, source: str) -> OwnModel:
    """The model of a class. Raises ModelError where it cannot be imported, does not exist or names unknown tasks."""
    where, _, called = source.rpartition(":")
    if not where or not called.isidentifier():
        raise ModelError(f"{source}: expected my_module:MyModel, or path/to/file.py:MyModel")
    try:
        module = _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except Exception as error:
        raise ModelError(f"{source}: cannot be imported: {_where(error)}") from error
    if not hasattr(module, called):
        raise ModelError(f"{source}: {where} has no class {called}")
    try:
        model = getattr(module, called)()
    except Exception as error:
        raise ModelError(f"{source}: {called}() raised {_where(error)}") from error
    if not hasattr(model, "predict"):
        raise ModelError(f"{source}: {called} has no method predict(questions)")
    known = tuple(TASKS) if getattr(model, "per_slice", False) else WHOLE
    tasks = getattr(model, "tasks", None)
    named = tuple(tasks) if isinstance(tasks, list | tuple | set | frozenset) else ()
    if not named or not all(task in TASKS and plain(task) in known for task in named):
        raise ModelError(f"{source}: {called}.tasks is {tasks!r}; expected some of {', '.join(known)}")
    file = getattr(module, "__file__", None)
    content = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    return OwnModel(name, source, model, content)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    name = f"gliobench_own_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for their module
    spec.loader.exec_module(module)
    return module


def _where(error: Exception) -> str:
    """An error in one line, with the file and line of the person's code that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}{place}"


def _graded(question: Question, value: Any) -> Prediction:
    problem = question.subject.problem
    if len(problem.classes) != 2:
        return classified(question, checked_probability(value, problem))
    probability = float(value)
    if not 0 <= probability <= 1:
        positive = problem.classes[problem.positive_class]
        raise ValueError(f"expected a probability of {positive} from 0 to 1, found {probability:g}")
    return classified(question, probability)


def _value(question: Question, value: Any) -> Value | None:
    frame, task = question.frame, task_about(question.subject.problem, question.task)
    if frame is None:
        voxels = np.asarray(value)
        if voxels.shape != question.subject.shape:
            raise ValueError(f"expected a mask of shape {question.subject.shape}, found {voxels.shape}")
        return VolumeMask(voxels.astype(bool))
    found = task.of_plain(value, frame)
    if isinstance(found, Polygon) and len(found.points) < LEAST_POINTS:
        raise ValueError(f"expected {LEAST_POINTS} points or more, found {len(found.points)}")
    if task.in_coordinates:
        _check_inside(np.asarray(value, dtype=float).reshape(-1, 2), frame.shape)
    return found


def _check_inside(points: NDArray[np.float64], shape: tuple[int, int]) -> None:
    """Raise ValueError for points, or corners of a box, that are not all in a slice."""
    if not np.isfinite(points).all():
        raise ValueError("it has numbers that are not finite")
    if (points < 0).any() or (points > np.array(shape) - 1).any():
        raise ValueError(f"outside the slice of {shape[0]} rows and {shape[1]} columns")
