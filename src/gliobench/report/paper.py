"""What a report leaves for a paper, read again without the study: `paper.json`."""

from pathlib import Path
from typing import Any

from gliobench.errors import GliobenchError
from gliobench.integrity import DamagedError, read_json
from gliobench.report.paper_tables import PaperTable

PAPER = "paper.json"


class PaperError(GliobenchError, ValueError):
    """A run that nothing can be written of for a paper; the message says why and what to do."""


def read_facts(run: Path) -> dict[str, str]:
    """What the run in a folder knows of itself, by name. Raises PaperError where no report says it."""
    facts: dict[str, str] = _read(run, "facts")
    if not facts:
        raise PaperError(f"{run}: a replay of recorded answers does not know how they were made: no checklist")
    return facts


def read_tables(run: Path) -> list[PaperTable]:
    """The tables of the run in a folder. Raises PaperError where there is no report."""
    return [PaperTable.from_json(one) for one in _read(run, "tables")]


def _read(run: Path, key: str) -> Any:
    path = run / "report" / PAPER
    try:
        return read_json(path, key)[key]
    except FileNotFoundError:
        raise PaperError(
            f"{path} is missing: expected the output folder of a run; `gliobench report STUDY --out {run}` writes it"
        ) from None
    except DamagedError as error:
        raise PaperError(f"{error}: run `gliobench report`, which rebuilds it") from error
