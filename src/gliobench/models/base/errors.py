"""The errors that a person can fix; this file imports nothing heavy, so that the command line can catch them
cheaply."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gliobench.errors import GliobenchError

if TYPE_CHECKING:
    from gliobench.models.base.prediction import Prediction


class ModelError(GliobenchError, ValueError):
    """A model cannot be loaded, or cannot answer a question; the message says which, why, and what to do."""


class ModelStopped(ModelError):
    """A model cannot continue. `answered`: its answers to questions after the one that stopped it, to be kept."""

    def __init__(self, message: str, answered: "Sequence[Prediction]") -> None:
        super().__init__(message)
        self.answered = tuple(answered)


def first_line(error: Exception) -> str:
    """The first line of a library's error message."""
    return str(error).strip().split("\n")[0]
