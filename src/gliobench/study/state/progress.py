"""How a stage tells a person what it does: a line said, a bar with time left. Silent by default."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from gliobench.errors import printable

Advance = Callable[[int, str], None]  # how many of the total are done now, and a note to show behind the bar
LINE_SECONDS = 30.0  # between two lines of a log about one piece of work


class Voice(Protocol):
    """Where a stage's words go."""

    def say(self, text: str) -> None:
        """Show one line."""
        ...

    def bar(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Show a progress bar while the context is open."""
        ...


class Silent:
    """Says nothing: for use from Python."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        yield lambda done, note: None


class Terminal:
    """Bars on a terminal, however narrow; where the output is a file or a pipe, a line now and then."""

    def __init__(self, console: Console, *, line_seconds: float = LINE_SECONDS) -> None:
        self.console, self._line_seconds = console, line_seconds

    def say(self, text: str) -> None:
        whole = not self.console.is_terminal  # a log's lines are not broken
        self.console.print(printable(text), highlight=False, markup=False, soft_wrap=whole)

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        if not self.console.is_terminal:
            yield self._lines(title, total)
            return
        whole = Column(no_wrap=True)
        columns = (
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=32)),
            BarColumn(bar_width=8),
            MofNCompleteColumn(table_column=whole),
            TimeElapsedColumn(table_column=whole),
            TextColumn("left", table_column=whole),
            TimeRemainingColumn(table_column=whole),
            TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        )
        with Progress(*columns, console=self.console, expand=True) as progress:
            task = progress.add_task(title, total=total, note="")
            yield lambda done, note: progress.update(task, completed=done, note=note)

    def _lines(self, title: str, total: int) -> Advance:
        begun = last = time.monotonic()
        ended = False

        def advance(done: int, note: str) -> None:
            nonlocal last, ended
            now = time.monotonic()
            if ended or (now - last < self._line_seconds and done < total):
                return
            last, taken, ended = now, now - begun, done >= total
            left = f"{_clock(taken / done * (total - done))} left" if 0 < done < total else f"{_clock(taken)} taken"
            self.say(f"{title}: {done} of {total}, {left}" + (f", {note}" if note else ""))

        return advance


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
