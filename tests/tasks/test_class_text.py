"""The class that a text states, in studies of other problems than gliomas."""

import pytest

from gliobench.cohort.problem import NODULES, Problem
from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer, Answered, Malformed
from gliobench.tasks.geometry import Grade
from gliobench.tasks.registry import task_about

FRAME = SliceFrame("axial", 0, (64, 64), (1.0, 1.0))
STAGES = Problem(
    name="stages",
    images={"ct": None},  # type: ignore[arg-type]
    classes=("stage 1", "stage 1b", "stage 2"),
    asked="stage",
    target="tumour",
)


def read(text: str, problem: Problem) -> Answer:
    return task_about(problem, "grade").parse(text, FRAME, False)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Choice: 0", 0),
        ("Choice: 3", 3),
        ("**Choice: 1**", 1),
        ("2", 2),
        ("Malignant", 2),
        ("malignant nodule", 2),
        ("A malignant nodule.", 2),
        ("A nodule of indeterminate malignancy.", 1),
        ("The nodule is malignant.", 2),
        ("This is a benign nodule.", 0),
        ("It is likely malignant.", 2),
        ("Classification: Benign", 0),
        ("Answer: malignant (2)", 2),
        (r"\boxed{2}", 2),
        (r"\boxed{\text{benign}}", 0),
        ("No nodule is visible", 3),
        ("There is no nodule in this slice.", 3),
        ("Answer: no nodule", 3),
        ("No evidence of a nodule", 3),
        ("The nodule is benign, not malignant.", 0),
        ("The nodule is malignant rather than benign.", 2),
        ("Choice: benign\nReason: no spiculation, unlike malignant nodules", 0),
        ("Malignant nodules are usually spiculated. Choice: 0", 0),
        ("0 for a benign nodule, 1 for a nodule of indeterminate malignancy, 2 for a malignant nodule. Choice: 2", 2),
    ],
)
def test_one_of_three_classes(text: str, number: int) -> None:
    assert read(text, NODULES) == Answered(Grade(number))


@pytest.mark.parametrize(
    "text",
    [
        "Choice: 4",
        "Answer: benign (2)",
        "Choice: 0, 1, 2 or 3",
        "<0, 1, 2, or 3>",
        "Choice: 2 mm nodule",
        "benign, indeterminate or malignant",
        "Answer: benign or malignant?",
        "Choice: 0 for a benign nodule, 1 for a nodule of indeterminate malignancy, 2 for a malignant nodule, 3 for no "
        "nodule",
        "The nodule is not malignant.",
        "This is not a malignant nodule.",
        "The nodule is unlikely to be malignant.",
        "no malignant nodule",
        "There is no benign nodule",
        "The nodule is non-malignant.",
        "premalignant",
        "Malignant features are present.",
        "The malignancy is high.",
        "Benign: 0.7, malignant: 0.2, indeterminate: 0.1",
    ],
)
def test_what_names_none_of_three_classes_or_several(text: str) -> None:
    assert isinstance(read(text, NODULES), Malformed)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("stage 1", 0),
        ("Stage 1B", 1),
        ("stage-1b tumour", 1),
        ("Answer: stage 1", 0),
        ("Answer: stage 1b", 1),
        ("Answer: stage 1 (0)", 0),
        ("The tumour is stage 2.", 2),
        ("No tumour is visible.", 3),
    ],
)
def test_a_name_within_another(text: str, number: int) -> None:
    assert read(text, STAGES) == Answered(Grade(number))


@pytest.mark.parametrize("text", ["stage 12", "stage 1.5", "stage 1 or stage 1b"])
def test_a_name_with_more_behind_it_is_another(text: str) -> None:
    assert isinstance(read(text, STAGES), Malformed)


@pytest.mark.parametrize("task", ["centre", "box", "polygon"])
def test_that_there_is_no_target_is_said_with_its_word(task: str) -> None:
    for text in ("No nodule is visible", "There is no nodule in this slice.", "none"):
        assert task_about(NODULES, task).parse(text, FRAME, False) == Answered(None)
    assert isinstance(task_about(NODULES, task).parse("No polyp is visible", FRAME, False), Malformed)


def test_a_class_that_is_called_by_another_ones_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1, 2: models answer with a class's number"):
        Problem(name="p", images={"ct": None}, classes=("1", "2"))  # type: ignore[arg-type]
    Problem(name="p", images={"ct": None}, classes=("0", "1", "2"))  # type: ignore[arg-type]
