"""The answers that count: those to the questions a study asks now, out of everything ever recorded."""

import json
from collections.abc import Iterable

from gliobench.records.record import Record
from gliobench.records.store import RecordStore
from gliobench.study.context import Context, StageError
from gliobench.study.folder import write_json


def write_asked(context: Context, model: str, keys: Iterable[str]) -> None:
    """Note which keys a model has been asked, in order; written when all of them are answered."""
    write_json(context.folder.asked(model), list(keys))


def current_answers(context: Context, model: str) -> list[Record]:
    """The records of a model that answer the study as it stands, in the order asked. Raises StageError before
    `predict` has finished with this model."""
    path = context.folder.asked(model)
    if not path.exists():
        raise StageError(f"{model} has not answered everything yet: run `gliobench predict` (it goes on where it was)")
    keys = json.loads(path.read_text(encoding="utf-8"))
    wanted = set(keys)
    found = {record.key: record for record in RecordStore(context.folder.answers(model)).read() if record.key in wanted}
    if absent := [key for key in keys if key not in found]:
        raise StageError(
            f"{context.folder.answers(model)}: {len(absent)} of {len(keys)} answers are gone: "
            f"delete {path.name} and run `gliobench predict` again"
        )
    return [found[key] for key in keys]
