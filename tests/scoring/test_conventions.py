"""A model that counts in another way than it is read is named, whatever its figures are; chance is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.replay.outcome import replay
from gliobench.replay.read import read_external
from gliobench.scoring.conventions import Said, suspicion
from gliobench.tasks.coordinates import AS_ASKED, FAMILIES, Coordinates, named_convention
from gliobench.tasks.geometry import Box

FRAME = SliceFrame("axial", 0, (128, 128), (1.0, 1.0))


def boxes(n: int) -> list[Box]:
    rng = np.random.default_rng(0)
    corners = [(*rng.integers(15, 60, 2), *rng.integers(12, 45, 2)) for _ in range(n)]
    return [Box(FRAME, r, c, r + rows, c + columns) for r, c, rows, columns in corners]


def written(box: Box, order: str, scale: float) -> str:
    corners = [round(v * scale) for v in (box.row_min, box.column_min, box.row_max, box.column_max)]
    if order == "x-first":
        corners = [corners[1], corners[0], corners[3], corners[2]]
    return str(corners)


@pytest.mark.parametrize(
    ("declared", "order", "scale", "called"),
    [
        (AS_ASKED, "x-first", 140 / 128, "coordinates: qwen2.5-vl`"),  # Dice 0.2 without a word
        (AS_ASKED, "row-first", 140 / 128, "{order: row-first, scale: multiples-of-28}`"),
        (AS_ASKED, "x-first", 1, "{order: x-first, scale: pixels}`"),
        (AS_ASKED, "row-first", 1000 / 128, "coordinates: gemini`"),
        (FAMILIES["gemini"], "row-first", 1, "coordinates: as-asked`"),
        (AS_ASKED, "row-first", 1, None),
        (FAMILIES["qwen2.5-vl"], "x-first", 140 / 128, None),
    ],
)
def test_perfect_answers_in_another_convention(
    declared: Coordinates, order: str, scale: float, called: str | None
) -> None:
    said = [Said("box", written(box, order, scale), FRAME, box) for box in boxes(48)]
    sentence = suspicion("model", said, declared)
    assert (sentence is None) if called is None else (sentence is not None and called in sentence)


def test_a_few_answers_or_answers_at_random_are_no_ground_for_suspicion() -> None:
    few = [Said("box", written(box, "x-first", 140 / 128), FRAME, box) for box in boxes(9)]
    assert suspicion("model", few, AS_ASKED) is None  # 9 of 9 by chance: p = 0.004
    truths, others = boxes(48), boxes(96)[48:]
    chance = [
        Said("box", written(other, "row-first", 1), FRAME, box) for box, other in zip(truths, others, strict=True)
    ]
    assert suspicion("model", chance, AS_ASKED) is None
    assert suspicion("model", [], AS_ASKED) is None


def test_a_replay_says_it_and_read_as_declared_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    rows = [
        {"subject": f"P{i % 6}", "slice": i // 6, "truth": corners, "answer": written(box, "x-first", 140 / 128)}
        for i, box in enumerate(boxes(48))
        for corners in [[int(v) for v in (box.row_min, box.column_min, box.row_max, box.column_max)]]
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    as_asked = replay(path, "box", "standard")
    assert as_asked.suspicion is not None
    declared = replay(path, "box", "standard", coordinates=named_convention("qwen2.5-vl"))
    assert declared.suspicion is None
    assert declared.standard is not None
    summary = declared.standard.scores.summary
    dice = summary[(summary["task"] == "box") & (summary["metric"] == "dice")]["value"].item()
    assert dice > 0.98  # rounding to a whole pixel of 140 and back


def test_a_convention_on_the_command_line() -> None:
    assert named_convention("x-first,fractions") == Coordinates("x-first", "fractions")
    for text in ("qwen", "x-first", "x-first,metres", ""):
        with pytest.raises(ValueError, match="as-asked, gemini"):
            named_convention(text)


@pytest.mark.realdata
@pytest.mark.parametrize("task", ["centre", "box", "polygon"])
def test_the_reference_studys_answers_fit_no_other_convention(shared: Path, task: str) -> None:
    answers = [one for one in read_external(shared / "replication" / task / "general", task).answers if one.repeat == 0]
    said = [Said(task, one.text, one.frame, one.truth) for one in answers if one.text and one.truth is not None]
    assert len(said) > 1000
    assert suspicion("llama", said, AS_ASKED) is None
