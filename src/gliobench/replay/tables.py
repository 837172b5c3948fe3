"""The standard tables of a replay, as a study's run leaves them, so that `gliobench compare` reads both."""

from pathlib import Path

from gliobench.replay.errors import ReplayError
from gliobench.replay.outcome import Outcome
from gliobench.scoring.consistency import Consistency
from gliobench.scoring.summary import Scores

NAMES = ("per_subject", "summary", "votes")


def write_tables(outcome: Outcome, out: Path) -> None:
    """Write `scores/*.parquet` into `out`, each whole or not at all. Raises ReplayError without standard scores."""
    if outcome.standard is None:
        raise ReplayError("the published protocol has no tables to compare: use --protocol standard or both with --out")
    write_scores(outcome.standard.scores, out, outcome.consistency)


def write_scores(scores: Scores, out: Path, consistency: Consistency | None = None) -> None:
    """Write the three tables of some scores, and those of repeated answers where there are any."""
    tables = {name: getattr(scores, name) for name in NAMES}
    if consistency is not None:
        tables |= {"consistency": consistency.figures, "consistency_answers": consistency.answers}
    folder = out / "scores"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ReplayError(f"{out} cannot be a folder for the tables: {error.filename} is a file") from error
    for name, table in tables.items():
        partial = folder / f".{name}.partial"
        table.to_parquet(partial)
        partial.replace(folder / f"{name}.parquet")
