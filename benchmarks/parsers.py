"""Seconds to read the longest texts that a parser takes, a piece over and over: ours beside one search for numbers.

    python benchmarks/parsers.py

The peer is `re.findall` of the numbers in the same text. The slowest parser must stay below a second a text: an
expression that tries places again and again would take minutes. Ends in one line of JSON; the ratio is peer to slowest.
"""

import argparse
import json
import re
from collections.abc import Callable
from time import process_time

from rich.console import Console
from rich.table import Table

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.reading import MAX_CHARACTERS
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 0, (128, 120), (1.0, 1.0))
MOST_S = 1.0
BRACKETS = (
    "(",
    "((",
    "[1",
    "1",
    "1 ",
    "(1 ",
    "1.",
    "1e",
    "(1, 2)",
    "(1, 2), ",
    ", ",
    "-",
    "\\",
    "* ",
    "'\"",
    "\n",
    "a",
)
WORDS = ("I am ", "row ", "row 1 ", "top ", "col_min = ", "Choice: ", "Answer is the a ", "high grade ", "is a ", "no ")
PIECES = (*BRACKETS, *WORDS, "12: 3-4\n")


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    rows = [measure(piece) for piece in PIECES]
    table = Table("piece", *TASKS, "numbers alone")
    for piece, row in zip(PIECES, rows, strict=True):
        table.add_row(repr(piece), *(f"{value:.3f}" for value in row.values()))
    Console().print(table)
    slowest = max(max(row[task] for task in TASKS) for row in rows)
    peer = max(row["numbers"] for row in rows)
    result = {"benchmark": "parsers", "characters": MAX_CHARACTERS, "slowest_s": round(slowest, 3)}
    print(json.dumps({**result, "numbers_s": round(peer, 3), "ratio": round(peer / slowest, 3)}))
    if slowest > MOST_S:
        raise SystemExit(f"a text takes {slowest:.1f} s; at most {MOST_S} s were expected")


def measure(piece: str) -> dict[str, float]:
    """Processor seconds of each task's parser, and of the peer."""
    text = piece * (MAX_CHARACTERS // len(piece))
    ours = {name: seconds(lambda read=task.parse: read(text, FRAME, False)) for name, task in TASKS.items()}
    return {**ours, "numbers": seconds(lambda: re.findall(r"-?\d+(?:\.\d+)?", text))}


def seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


if __name__ == "__main__":
    main()
