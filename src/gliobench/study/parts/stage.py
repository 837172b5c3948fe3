"""A stage of a study as a value; its name, which stamps, locks, logs and jobs bear, is made here alone."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Further = Literal["curve", "seeds", "sensitivity"]  # models of the study again, trained or asked otherwise
Verb = Literal["prepare", "split", "train", "finetune", "predict", "test", "score", "report"] | Further
SHARD = "@"  # no name of a model has it


class Shard(NamedTuple):
    """One of `count` parts of the patients whom a model is asked about; `number` from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}-of-{self.of}"


@dataclass(frozen=True)
class Stage:
    """A verb, and where it is done for each of them: model, fold, setting of a sweep, shard of the patients."""

    verb: Verb
    model: str | None = None
    fold: int | None = None
    choice: int | None = None
    shard: Shard | None = None

    @property
    def target(self) -> str:
        """What it is done for: `segmenter-fold-0`, `llama@1-of-4`; empty where it is done once for the study."""
        named = {"": self.model, "fold-": self.fold, "choice-": self.choice}
        name = "-".join(f"{prefix}{value}" for prefix, value in named.items() if value is not None)
        return name if self.shard is None else f"{name}{SHARD}{self.shard}"

    @property
    def title(self) -> str:
        """In front of a progress bar."""
        return " ".join(filter(None, (self.verb, self.target)))

    def __str__(self) -> str:
        return "-".join(filter(None, (self.verb, self.target)))
