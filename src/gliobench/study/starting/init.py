"""Look at a data set and write a study file that can be run at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gliobench.cohort.draft.draft import Draft, name_of
from gliobench.cohort.draft.recognise import draft_of
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.read import find_cohort
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.starting.choices import chosen_problem, chosen_shape
from gliobench.study.starting.file import study_text
from gliobench.study.starting.summary import summary_lines
from gliobench.study.starting.survey import survey
from gliobench.study.state.progress import Silent, Voice

STUDY, TABLE = "study.yaml", "cohort.csv"


def init_study(
    source: Path, out: Path, *, wanted: str | None = None, force: bool = False, voice: Voice | None = None
) -> Path:
    """Write `out/study.yaml`, and `out/cohort.csv` where the data are in no layout; returns the study file.

    `wanted`: the column of a table that is the class. Raises CohortError where nothing is recognised, StudyError where
    a file exists already (unless `force`), no scan can be read, or there is neither class nor mask.
    """
    voice = voice or Silent()
    study, draft = out / STUDY, draft_of(source, wanted)
    written = [study, *([out / TABLE] if draft.table else [])]
    if draft.table and (out / TABLE).resolve() == source.resolve():
        raise StudyError(f"{source}: would be overwritten by a table with other columns: name another folder (--out)")
    if taken := [path for path in written if path.exists() and not force]:
        raise StudyError(f"{' and '.join(map(str, taken))}: already there; name another folder (--out), or use --force")
    out.mkdir(parents=True, exist_ok=True)
    with _table(draft, out / TABLE) as root:
        cohort = find_cohort(root, draft.problem)
        found = survey(cohort, voice)
        if not found.looks:
            raise StudyError("\n  ".join([f"{source}: no scan can be read", *map(str, found.faults)]))
        good = [subject for subject in cohort.subjects if subject.id in found.looks]
        classes = any(subject.grade is not None for subject in good)
        if not classes and not found.masked:
            raise StudyError(f"{source}: neither classes nor masks were found, so there is nothing to ask models about")
        problem = GLIOMA if draft.problem is GLIOMA else chosen_problem(draft.problem, found)
        for line in summary_lines(draft, cohort, problem, found):
            voice.say(line)
        text = study_text(
            study,
            name_of(source),
            _path_from(out, root),
            problem,
            chosen_shape(problem, found),
            patients=len({subject.patient for subject in good}),
            classes=classes,
            masks=bool(found.masked),
            described=bool(draft.problem.regions),
            faults=bool(found.faults),
        )
    study.write_text(text, encoding="utf-8")
    read_study(study)
    for path in written:
        voice.say(f"written: {path}")
    return study


@contextmanager
def _table(draft: Draft, path: Path) -> Iterator[Path]:
    """The folder or table to read: the draft's own, or its table written to `path`, removed again after a failure."""
    if draft.table is None:
        yield draft.cohort
        return
    draft.table.write(path)
    try:
        yield path
    except BaseException:
        path.unlink()
        raise


def _path_from(folder: Path, path: Path) -> str:
    """A path as a study file in `folder` names it: relative where it is below, else absolute."""
    folder, path = folder.resolve(), path.resolve()
    return os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path)
