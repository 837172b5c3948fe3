"""The standard tables of a replay, as a study's run leaves them, so that `gliobench compare` reads both."""

import hashlib
import time
from pathlib import Path

from gliobench.integrity import Stamp, listed, write_stamp, write_whole
from gliobench.replay.errors import ReplayError
from gliobench.replay.outcome import Outcome
from gliobench.scoring.consistency import Consistency
from gliobench.scoring.summary import Scores

NAMES = ("per_subject", "summary", "votes")


def write_tables(outcome: Outcome, out: Path) -> None:
    """Write `scores/*.parquet` into `out`, each written atomically, with their checksums in `stamps/score.json`.

    Raises ReplayError without standard scores, and as `write_scores` does.
    """
    if outcome.standard is None:
        raise ReplayError("the published protocol has no tables to compare: use --protocol standard or both with --out")
    write_scores(outcome.standard.scores, out, outcome.consistency)


def write_scores(scores: Scores, out: Path, consistency: Consistency | None = None) -> None:
    """Write the three tables of some scores, and those of repeated answers where there are any, and their stamp.

    Raises ReplayError where a file, or the run folder of a study with scores of its own, is in the place of `out`.
    """
    if (out / "prepared.json").exists():
        raise ReplayError(f"{out} is the run folder of a study, whose own scores would be lost: give another folder")
    start = time.perf_counter()
    tables = {name: getattr(scores, name) for name in NAMES}
    if consistency is not None:
        tables |= {"consistency": consistency.figures, "consistency_answers": consistency.answers}
    written = {out / "scores" / f"{name}.parquet": table.to_parquet() for name, table in tables.items()}
    stamp = out / "stamps" / "score.json"
    try:
        for folder in (out / "scores", stamp.parent):
            folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)  # an earlier replay's: killed from here on, the new tables are not called damaged
        for path, content in written.items():
            write_whole(path, content)
        inputs = hashlib.sha256(b"".join(written.values())).hexdigest()
        write_stamp(stamp, Stamp(inputs, time.perf_counter() - start, listed(written, out)))
    except (FileExistsError, NotADirectoryError) as error:
        raise ReplayError(f"{out} cannot be a folder for the tables: {error.filename} is a file") from error
