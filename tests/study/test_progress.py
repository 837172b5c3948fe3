"""Progress on a narrow terminal, and in a log."""

import re
from io import StringIO

from rich.console import Console

from gliobench.study.state.progress import Terminal

TITLE, NOTE = "train study-classifier-fold-0", "loss 0.970, validation -1.523"


def test_a_bar_is_whole_at_80_columns() -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    with Terminal(console).bar(TITLE, 120) as advance:
        advance(12, NOTE)
    shown = re.split(r"[\r\n]", console.file.getvalue())  # type: ignore[attr-defined]
    last = next(line for line in reversed(shown) if TITLE in line)
    assert re.search(TITLE + r" \S+ +12/120 0:00:\d\d left [-:\d]+ +loss", last), last


def test_a_log_has_a_line_now_and_then_and_one_at_the_end() -> None:
    def lines(line_seconds: float) -> list[str]:
        console = Console(file=StringIO(), width=120)
        with Terminal(console, line_seconds=line_seconds).bar(TITLE, 3) as advance:
            for done in range(4):
                advance(done, NOTE)
        return console.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert lines(3600.0) == [f"{TITLE}: 3 of 3, 0:00:00 taken, {NOTE}"]
    assert [line.split(",")[0] for line in lines(0.0)] == [f"{TITLE}: {done} of 3" for done in range(4)]
    assert lines(0.0)[1] == f"{TITLE}: 1 of 3, 0:00:00 left, {NOTE}"
