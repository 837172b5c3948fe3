"""A stage of a study as a value; its name, which stamps, locks and logs bear, is made here alone."""

from dataclasses import dataclass
from typing import Literal

Verb = Literal["prepare", "split", "train", "finetune", "predict", "test", "score", "curve", "report"]


@dataclass(frozen=True)
class Stage:
    """What is done; where it is done for each of them, for which model, fold and setting of a sweep."""

    verb: Verb
    model: str | None = None
    fold: int | None = None
    choice: int | None = None

    @property
    def target(self) -> str:
        """Whom it is done for: `segmenter-fold-0`, nothing where it is done once for the study."""
        parts = {"": self.model, "fold-": self.fold, "choice-": self.choice}
        return "-".join(f"{before}{value}" for before, value in parts.items() if value is not None)

    @property
    def title(self) -> str:
        """In front of a progress bar."""
        return " ".join(filter(None, (self.verb, self.target)))

    def __str__(self) -> str:
        return "-".join(filter(None, (self.verb, self.target)))
