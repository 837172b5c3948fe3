"""The errors that are a person's to mend; this file imports nothing heavy, so that the command line can catch them
cheaply."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gliobench.errors import GliobenchError

if TYPE_CHECKING:
    from gliobench.models.base.prediction import Prediction


class ModelError(GliobenchError, ValueError):
    """A model cannot be loaded, or not be asked what was asked; the message says which, why, and what to do."""


class ModelStopped(ModelError):
    """A model can answer no more. `answered`: what it had answered behind the question that stopped it, to be kept."""

    def __init__(self, message: str, answered: "Sequence[Prediction]") -> None:
        super().__init__(message)
        self.answered = tuple(answered)


def first_line(error: Exception) -> str:
    """What a library says in the first line of its error."""
    return str(error).strip().split("\n")[0]
