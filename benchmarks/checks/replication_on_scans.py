"""The reference study's raw answers against what was published as target and against what was asked for.

Its boxes, centres and polygons were scored against label 1 of the expert mask; its prompts ask for the tumour. For each
test patient whose scan is at hand the window that the study cut is had back from its boxes, and the same answers are
scored against both, with the same arithmetic, beside a trivial answer.

    python benchmarks/checks/replication_on_scans.py --replication FOLDER --cohort FOLDER

`FOLDER` of the replication holds `patients.json`, the test patients' ids in the study's order, beside the answers.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.read import find_cohort, load_subject
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.replay.read import read_external
from gliobench.replay.standard import score_answers_as, score_standard
from gliobench.replay.targets import aimed_at
from gliobench.replay.text import subject_name
from gliobench.replay.windows import Window, find_windows
from gliobench.scoring.summary import Scores
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import Box, Point, Polygon

FIGURES = {
    "centre": ("in_box", "distance_to_centre_mm"),
    "box": ("dice", "precision", "recall"),
    "polygon": ("dice", "precision", "recall"),
}
CORE = 1  # necrotic and non-enhancing tumour core


@dataclass(frozen=True)
class Scan:
    """A patient's labels, (D, H, W) as stored, and the answers' numbers: how the study calls them."""

    id: str
    name: str
    labels: NDArray[np.uint8]


def scans(cohort: Path, replication: Path) -> Iterator[Scan]:
    """The study's test patients among a cohort's."""
    order = json.loads((replication / "patients.json").read_text(encoding="utf-8"))["test_in_study_order"]
    found = find_cohort(cohort)
    for subject in found.subjects:
        if subject.id in order:
            labels = load_subject(subject, found.labels).labels
            assert labels is not None
            yield Scan(subject.id, subject_name(order.index(subject.id)), np.ascontiguousarray(labels.T))


def window_of(answers: Sequence[ExternalAnswer], labels: NDArray[np.uint8]) -> Window | None:
    """The only window that fits the boxes that answers were scored against, None where there is none or several."""
    boxes = [answer.truth if isinstance(answer.truth, Box) else None for answer in answers]
    fitting = find_windows(boxes, labels == CORE)
    return fitting[0] if len(fitting) == 1 else None


def trivial(task: str, answers: Sequence[ExternalAnswer]) -> list[Answer]:
    """The middle of the slice for a centre, the whole slice else."""
    said: list[Answer] = []
    for answer in answers:
        frame, (rows, columns) = answer.frame, answer.frame.shape
        corners = ((0, 0), (0, columns - 1), (rows - 1, columns - 1), (rows - 1, 0))
        value = {
            "centre": Point(frame, (rows - 1) / 2, (columns - 1) / 2),
            "box": Box(frame, 0, 0, rows - 1, columns - 1),
            "polygon": Polygon(frame, tuple((float(row), float(column)) for row, column in corners)),
        }[task]
        said.append(Answered(value))
    return said


def figures(scores: Scores, task: str) -> dict[str, float]:
    """The mean over the patients of each figure of the task's own answers."""
    table = scores.summary
    rows = table[(table["task"] == task) & (table["source"] == task) & (table["plane"] == "axial")]
    return {name: float(rows.loc[rows["metric"] == name, "value"].iloc[0]) for name in FIGURES[task]}


def windows(replication: Path, found: Sequence[Scan]) -> dict[str, Window]:
    """By patient, where the slices of the study's centres lie, which are all slices that it takes to hold tumour."""
    centres = read_external(replication / "centre" / "general", "centre")
    known = {scan.name: window_of(centres.firsts.get(scan.name, []), scan.labels) for scan in found}
    return {name: window for name, window in known.items() if window is not None}


def asked(external: ExternalAnswers, scan: Scan, window: Window) -> list[ExternalAnswer]:
    """A patient's answers with the truths of the whole tumour."""
    answers = external.firsts.get(scan.name, [])
    if external.task == "box":  # asked of fewer slices, from another one on
        own = window_of(answers, scan.labels)
        assert own is not None
        window = own
    return aimed_at(answers, external.task, scan.labels > 0, window) if answers else []


def table(replication: Path, cohorts: Sequence[Path]) -> Iterator[str]:
    """The report, line by line, as Markdown."""
    found = [scan for cohort in cohorts for scan in scans(cohort, replication)]
    known = windows(replication, found)
    yield f"Test patients of the study with a scan here: {len(found)}; window found: {len(known)}."
    for scan in found:
        window = known.get(scan.name)
        yield f"- {scan.id} ({scan.name}): {'not unique, or none fits' if window is None else window}"
    yield ""
    yield "| task | patients | figure | published target: answers | trivial | asked target: answers | trivial |"
    yield "|---|---|---|---|---|---|---|"
    for task in FIGURES:
        external = read_external(replication / task / "general", task)
        usable = [scan for scan in found if scan.name in known]
        sides = {
            "published": [one for scan in usable for one in external.firsts.get(scan.name, [])],
            "asked": [one for scan in usable for one in asked(external, scan, known[scan.name])],
        }
        if not sides["published"]:
            continue
        shown: dict[str, Mapping[str, float]] = {}
        for name, answers in sides.items():
            own = ExternalAnswers(task, external.layout, external.source, answers)
            shown[name] = figures(score_standard(own, "answers").scores, task)
            shown[f"{name} trivial"] = figures(score_answers_as(own, "trivial", trivial(task, answers)), task)
        patients = len({one.subject for one in sides["published"]})
        for figure in FIGURES[task]:
            cells = [shown[side][figure] for side in ("published", "published trivial", "asked", "asked trivial")]
            yield f"| {task} | {patients} | {figure} | {' | '.join(f'{cell:.3f}' for cell in cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replication", type=Path, required=True)
    parser.add_argument("--cohort", type=Path, required=True, action="append")
    options = parser.parse_args()
    for line in table(options.replication, options.cohort):
        print(line)


if __name__ == "__main__":
    main()
