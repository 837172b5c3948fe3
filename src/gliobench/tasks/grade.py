"""The class of a patient, such as a tumour's grade: by its number, from 0, or that there is no target."""

from typing import Any, Self

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.tasks.answer import Answer
from gliobench.tasks.base import Drawing, Known, Numbers, Task
from gliobench.tasks.class_text import find_class
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Grade
from gliobench.tasks.prompt import Prompt, own_prompt
from gliobench.tasks.reading import judge


class GradeTask(Task):
    """The class of a patient, such as a tumour's grade."""

    name, value_type, json_key = "grade", Grade, "grade"
    summary = "the class of a patient, such as a tumour's grade, or that there is none; `class` in study files too"
    expected = "a choice such as Choice: 1"
    compared_as, primary = "grade", ("balanced_accuracy", "auc")
    has_place = False

    def __init__(self) -> None:
        self._tell()

    def about(self, problem: Problem) -> Self:
        task = super().about(problem)
        task._tell()
        return task

    def _tell(self) -> None:
        classes, numbers = self.problem.classes, range(self.problem.none + 1)
        self.choices = [Grade(number) for number in numbers]
        self.truth_words = f"a {self.problem.asked} ({' or '.join(classes)})"
        *first, last = [*classes, *map(str, numbers[:-1])] or [""]
        self.truth_format = f"{', '.join(first)} or {last}"

    @property
    def region_prompt(self) -> Prompt:
        """Of any region: the class is that of the whole target."""
        return self.prompt if self.problem.prompts == "glioma" else own_prompt("class")

    def has_truth(self, subject: Known) -> bool:
        return subject.grade is not None

    def truth(self, subject: PreparedSubject, frame: SliceFrame) -> Grade:
        assert subject.grade is not None
        return Grade(subject.grade)

    def write(self, value: Any) -> str:
        """`Choice: 0`, `Choice: 1`, …"""
        self.expect(value)
        return f"Choice: {value.value}"

    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The class that a text states: `Choice: 1`, `Classification: High Grade Glioma (1)`, boxed, `HGG`, a bare `1`.

        A class that is only mentioned (the prompt's menu, a feature "of high grade gliomas", a grade's probability)
        does not count, and neither does an amount such as 1 cm, nor a number after `grade`, which may be the WHO's. A
        text that states two grades is Malformed. `frame` and `coordinates` are not used: a grade has no location.
        """
        return judge(text, cut_off, lambda text: find_class(text, self.problem), self.expected)

    def pattern(self, numbers: Numbers) -> str:
        return f"Choice: [{''.join(map(str, range(self.problem.none + 1)))}]"

    def longest(self, shape: tuple[int, int]) -> str:
        return "Choice: 0"

    def to_json(self, value: Any) -> int:
        return int(value.value)

    def from_json(self, content: Any, frame: SliceFrame | None) -> Grade:
        return Grade(int(content))

    def of_plain(self, content: Any, frame: SliceFrame | None) -> Grade:
        """From a class's number or name, as in tables of truths."""
        names = {name: number for number, name in enumerate(self.problem.classes)}
        numbers = {str(number): number for number in names.values()}
        if (found := (numbers | names).get(str(content))) is None:
            raise ValueError(f"expected {self.truth_format}")
        return Grade(found)

    def exact(self, value: Any) -> str:
        return self.problem.class_name(value.value)

    def drawn(self, value: Any) -> Drawing:
        return Drawing(words=f"says {self.exact(value)}")


GRADE = GradeTask()
