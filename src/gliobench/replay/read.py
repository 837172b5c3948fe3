"""A folder or a file of answers, whatever its form, checked before anything is scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import Plane
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers, by_place
from gliobench.replay.layouts import LAYOUTS
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Grade
from gliobench.tasks.registry import task_of

HEAD_BYTES = 4096
ENDINGS = (".txt", ".jsonl", ".csv", ".parquet")


def read_external(
    source: Path,
    task: str,
    plane: Plane = "axial",
    coordinates: Coordinates = AS_ASKED,
    problem: Problem = GLIOMA,
) -> ExternalAnswers:
    """The answers to `task` in a folder or a file; `plane` where the files do not say it, `coordinates` as the model
    counts, `problem`: what was asked about.

    Raises ReplayError, naming file and line: nothing recognisable, two forms in one folder, a patient twice, a truth
    that contradicts itself, a line too long, text that is not UTF-8.
    """
    paths = _files(source)
    found: dict[str, list[Path]] = {}
    empty = [path for path in paths if path.stat().st_size == 0]
    if len(empty) == len(paths):
        raise ReplayError(f"{source}: {len(paths)} files, the first being {paths[0].name}, and all of them empty")
    for path in paths:
        if path not in empty and (layout := _layout(path)):
            found.setdefault(layout, []).append(path)
    if len(found) != 1:
        forms = "; ".join(f"{name}: {paths[0].name}" for name, paths in found.items()) or "none of them"
        raise ReplayError(
            f"{source}: answers in one form are expected ({'; '.join(LAYOUTS)}), found {forms}"
            + ("" if found else f" in {len(paths)} files, the first being {paths[0].name}")
        )
    ((layout, own),) = found.items()
    if strange := sorted({path.name for path in paths} - {path.name for path in (*own, *empty)}):
        raise ReplayError(f"{source / strange[0]}: not {layout} as the other {len(own)} files: move it elsewhere")
    external: ExternalAnswers = LAYOUTS[layout].read(sorted([*own, *empty]), task, plane, problem)
    if not external.answers:
        raise ReplayError(f"{source}: {len(own)} files and not one answer in them")
    external = replace(external, coordinates=coordinates, problem=problem)
    _check(external)
    return external


def _files(source: Path) -> list[Path]:
    """The file, or the files of the folder that can hold answers."""
    if not source.exists():
        raise ReplayError(f"{source} does not exist: give the folder or the file that holds the answers")
    if not source.is_dir():
        if not source.is_file():
            raise ReplayError(f"{source} is neither a folder nor a file: give what holds the answers")
        return [source]
    inside = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    paths = [path for path in inside if path.suffix in ENDINGS]
    if other := next((path for path in paths if not path.is_file()), None):
        found = "a folder" if other.is_dir() else "no file"  # a pipe or a device never ends
        raise ReplayError(f"{other} is {found}; by its name a file of answers is expected: move it elsewhere")
    if not paths:
        folders = [path.name for path in inside if path.is_dir()]
        external = f"; it has the folders {', '.join(folders)}: give one of them" if folders else ""
        raise ReplayError(f"{source} holds no file of answers ({', '.join(ENDINGS)}){external}")
    return paths


def _layout(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(HEAD_BYTES)
    except OSError as error:
        raise ReplayError(f"{path} cannot be read ({error.strerror})") from error
    if path.suffix != ".parquet" and b"\0" in raw:
        raise ReplayError(f"{path}:1: a zero byte: UTF-8 text is expected (is this UTF-16, or no text?)")
    head = raw.decode("utf-8", errors="replace")
    return next((name for name, module in LAYOUTS.items() if module.recognises(path, head)), None)


def _check(external: ExternalAnswers) -> None:
    """No answer twice, a first one to every input, one truth for one patient's class or one slice, and none outside."""
    places = by_place(external.answers, "several answers to one input need a `repeat`")
    truths: dict[object, ExternalAnswer] = {}
    for answer in external.answers:
        _check_inside(answer)
        if replace(answer.place, repeat=0) not in places:
            raise ReplayError(
                f"{answer.where}: `repeat` counts from 0, and there is no answer 0 of {answer.subject}, "
                f"{answer.plane} slice {answer.index}"
            )
        known = truths.setdefault(_whose(answer), answer)
        if known.truth != answer.truth:
            raise ReplayError(
                f"{answer.where}: the truth of {answer.subject} is {_shown(external, answer)} here and "
                f"{_shown(external, known)} in {known.path.name}:{known.line}: one of them is wrong"
            )


def _whose(answer: ExternalAnswer) -> object:
    """What has one truth: a patient's class, or a slice."""
    return answer.subject if isinstance(answer.truth, Grade) else replace(answer.place, repeat=0)


def _check_inside(answer: ExternalAnswer) -> None:
    truth, (rows, columns) = answer.truth, answer.frame.shape
    if truth is None or not (task := task_of(truth)).in_coordinates:
        return
    for row, column in np.reshape(task.to_json(truth), (-1, 2)):
        if not (0 <= row <= rows - 1 and 0 <= column <= columns - 1):
            raise ReplayError(
                f"{answer.where}: the truth has ({row:g}, {column:g}), outside a slice of {rows} x {columns} pixels: a "
                "table says another size in its columns `rows` and `columns`"
            )


def _shown(external: ExternalAnswers, answer: ExternalAnswer) -> str:
    return external.problem.no_target if answer.truth is None else external.asked.truth_task.exact(answer.truth)
