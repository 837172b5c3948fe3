"""What the parsers make of every raw answer of the reference study. Counts are of this very data: a change in one is a
change in what is taken for an answer, and needs a look at the texts concerned."""

import re
from collections import Counter
from pathlib import Path

import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answered
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 0, (128, 128), (1.875, 1.875))
LINE = {"general": r"^Slice #\d+ => ?", "other": r"^Ground truth.*?\|\| Model output: ?"}


def _answers(folder: Path) -> list[str]:
    """The texts of a folder's files; what the study put between them and around them is taken away."""
    pattern = LINE["general" if folder.parent.name == "grade" and folder.name.startswith("general") else "other"]
    texts = []
    for path in sorted(folder.iterdir()):
        body = re.split(r"^Guesses: ", path.read_text("utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
        texts += [text.rstrip("\n") for text in re.split(pattern, body, flags=re.MULTILINE)[1:]]
    # The study wrote its own "ERROR" and || for line breaks around answers that it could not read.
    return [
        text.replace("||", "\n").removeprefix("ERROR: Unknown >>") if "grade" in str(folder) else text for text in texts
    ]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        # 21 and 61 more than the study's own reader found: "Classification: 1", "Choice: 1" below a blank line, ….
        # Malformed are "Step 1: Analyze the brain scan …", ended by the limit of 20 tokens before any choice.
        ("grade/general-axial", {"Answered": 3319, "Malformed": 45}),
        ("grade/general-coronal", {"Answered": 3865, "Malformed": 232}),
        ("grade/finetuned-100-steps", {"Answered": 1199}),
        # 1,924 of 1,973 as published; the rest are (-1, -1): there is no tumour.
        ("centre/general", {"Answered": 1924, "no tumour": 49}),
        # Malformed: prose without a box, and edges at 128 where the image ends at 127.
        ("box/general", {"Answered": 633, "Malformed": 536, "Truncated": 27, "Refused": 15}),
        # Malformed: prose and code without a list, and points beyond 127. Truncated: lists ended by 140 tokens.
        ("polygon/general", {"Answered": 689, "Malformed": 969, "Truncated": 191, "Refused": 135, "no tumour": 4}),
    ],
)
def test_counts(shared: Path, folder: str, expected: dict[str, int]) -> None:
    task = TASKS[folder.split("/")[0]]
    answers = [task.parse(text, FRAME, False) for text in _answers(shared / "replication" / folder)]
    kinds = ("no tumour" if answer == Answered(None) else type(answer).__name__ for answer in answers)
    assert Counter(kinds) == expected


@pytest.mark.realdata
def test_grades_are_those_that_the_study_read(shared: Path) -> None:
    """Every slice that the study's reader could read (its `Tally`) has the same grade here."""
    for path in sorted((shared / "replication" / "grade" / "general-axial").iterdir()):
        text = path.read_text("utf-8")
        said = re.findall(r"^Slice #\d+ => (Choice: .*)$", text, re.MULTILINE)
        tally = re.search(r"^Tally: \[(\d+), (\d+), (\d+), (\d+)\]", text, re.MULTILINE)
        assert tally is not None
        counts = Counter(TASKS["grade"].parse(answer, FRAME, False).value.value for answer in said)  # type: ignore[union-attr]
        assert [counts[grade] for grade in range(3)] == [int(number) for number in tally.groups()[:3]], path.name
