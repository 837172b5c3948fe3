"""How a stage tells a person what it does: a line said, a bar with time left. Silent by default."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gliobench.errors import printable

Advance = Callable[[int, str], None]  # how many of the total are done now, and a note to show behind the bar


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
    """Rich bars on a terminal; plain lines where the output is a file or a pipe."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        self.console.print(printable(text), highlight=False, markup=False)

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(title, total=total, note="")
            yield lambda done, note: progress.update(task, completed=done, note=note)
