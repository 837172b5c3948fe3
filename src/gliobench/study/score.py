"""Stage `score`: all answers of all models about the test patients, with one arithmetic."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.answers import current_answers
from gliobench.study.context import Context, StageError
from gliobench.study.folder import file_digest, fingerprint
from gliobench.study.questions import asked_slices

if TYPE_CHECKING:
    from gliobench.scoring.score import Item
    from gliobench.scoring.summary import Scores

TABLES = ("per_subject", "summary", "votes")


def score(context: Context) -> None:
    """Score every answer on its own task and on the coarser ones; leaves the tables as Parquet."""
    with context.stage("score", scores_inputs(context), done=_tables_exist(context)) as to_do:
        if to_do:
            _write(context, _score(context))


def scores_inputs(context: Context) -> str:
    """Fingerprint of everything that decides the figures."""
    names = [part.name for part in context.study.models]
    absent = [name for name in names if not context.folder.asked(name).exists()]
    if absent:
        raise StageError(f"not every question is answered by {', '.join(absent)}: run `gliobench predict` first")
    return fingerprint(
        answers={name: file_digest(context.folder.asked(name)) for name in names},
        test=[context.subjects[id].content for id in context.tested],
        grades=[context.subjects[id].grade for id in context.tested],
        slices=context.study.slices.model_dump(),
    )


def read_scores(context: Context) -> "Scores":
    """The tables that `score` left. Raises StageError where there are none."""
    import pandas as pd

    from gliobench.scoring.summary import Scores

    if not _tables_exist(context):
        raise StageError(f"{context.folder.scores} holds no tables: run `gliobench score` first")
    return Scores(**{name: pd.read_parquet(context.folder.scores / f"{name}.parquet") for name in TABLES})


def _score(context: Context) -> "Scores":
    from gliobench.scoring.score import score_subject
    from gliobench.scoring.summary import summarise

    records: dict[str, list[Record]] = {id: [] for id in context.tested}
    for part in context.study.models:
        for record in current_answers(context, part.name):
            records[record.subject].append(record)
    slices: dict[Plane, dict[str, list[int]]] = {
        plane: asked_slices(context, plane) for plane in context.study.slices.planes
    }
    scored = []
    with context.voice.bar("score", len(records)) as advance:
        for done, (id, own) in enumerate(records.items(), start=1):
            subject = context.subjects[id]
            items = list(_items(context, subject, own))
            asked = {plane: by_subject.get(id, []) for plane, by_subject in slices.items()}
            scored.append(score_subject(subject, items, asked))
            advance(done, id)
    scores = summarise(scored)
    if scores.summary.empty:
        raise StageError("there is nothing to score: no test patient has a truth for any task that a model answers")
    return scores


def _items(context: Context, subject: PreparedSubject, records: list[Record]) -> Iterator["Item"]:
    from gliobench.scoring.score import Item

    arrays = Arrays(context.folder.masks)
    for record in records:
        frame = None
        if record.plane is not None and record.index is not None:
            frame = subject.frame(record.plane, record.index)
        yield Item(record.model, record.task, frame, record_answer(record, subject, arrays), record.score)


def _tables_exist(context: Context) -> bool:
    return all((context.folder.scores / f"{name}.parquet").exists() for name in TABLES)


def _write(context: Context, scores: "Scores") -> None:
    context.folder.scores.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        partial = context.folder.scores / f".{name}.partial"
        getattr(scores, name).to_parquet(partial)
        partial.replace(context.folder.scores / f"{name}.parquet")
