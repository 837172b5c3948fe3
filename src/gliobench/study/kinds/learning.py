"""What a kind of model says of how it learns: in which stages, from whom, and what they leave."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from gliobench.grid.regions import Region
from gliobench.study.parts.stage import Stage

if TYPE_CHECKING:
    from gliobench.grid.splits import Fold
    from gliobench.study.kinds.base import ModelConfig
    from gliobench.study.kinds.network import NetworkConfig
    from gliobench.study.kinds.vlm import LanguageModelConfig
    from gliobench.study.state.context import Context, Outputs

Verb = Literal["train", "finetune"]


@dataclass(frozen=True)
class Learning:
    """A stage in which a model learns, the fingerprint of what it learns from, and what it leaves."""

    stage: Stage
    inputs: str
    files: "Outputs"


def learning_by_fold(
    context: "Context",
    config: "ModelConfig",
    folds: "Iterable[tuple[int, Fold]]",
    inputs: "Callable[[Context, Any, Fold], str]",
    files: Callable[[Path], list[Path]],
) -> list[Learning]:
    """One stage per fold: `inputs` gives its fingerprint, `files` what it leaves in the fold's folder."""
    assert config.verb is not None
    return [
        Learning(
            Stage(config.verb, config.name, number),
            inputs(context, config, fold),
            partial(files, context.folder.network(config.name, number)),
        )
        for number, fold in folds
    ]


class LearningHooks:
    """What stages ask of how an entry learns; by default it learns in no stage of its own."""

    @property
    def verb(self) -> Verb | None:
        """The command with which it learns in stages of its own, before it is asked."""
        return None

    def learning(self, context: "Context") -> list[Learning]:
        """The stages in which it learns, one per fold."""
        return []

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        """Learn from a fold. `alone`: this process does nothing else."""

    @property
    def learns(self) -> bool:
        """Whether it is fitted to the training patients, so that it has a learning curve."""
        return self.verb is not None or self.leaves_validation_out

    def seeded(self, number: int) -> "Self | None":
        """The entry with its `number`-th further seed, from 1; None where it has none, or no seed changes its
        answers."""
        return None

    @property
    def swept(self) -> "NetworkConfig | None":
        """Itself, where it is a network that is trained in several settings."""
        return None

    @property
    def language(self) -> "LanguageModelConfig | None":
        """Itself, where it is a language model in this process."""
        return None

    @property
    def finetuned(self) -> "LanguageModelConfig | None":
        """Itself, where it is a language model that is fine-tuned here."""
        return None

    @property
    def engine(self) -> str | None:
        """Whose code it is fine-tuned with."""
        return None

    def is_left(self, context: "Context") -> bool:
        """Whether it has still to learn in a process of its own, by a command of its own."""
        return False

    def start_fault(self, fold: "Fold", region: Region) -> str | None:
        """Why it cannot begin to learn from a fold."""
        return None

    def trained(self, context: "Context") -> list[str]:
        """Fingerprints of what it answers with."""
        return [one.inputs for one in self.learning(context)]

    @property
    def leaves_validation_out(self) -> bool:
        """Whether it learns, when it is built, from the training patients without those who decide."""
        return False

    @property
    def untrained(self) -> bool:
        """Whether it is random weights alone, and cannot know anything."""
        return False

    @property
    def wants_classical(self) -> bool:
        """Whether the classical baseline has to stand beside it."""
        return False

    @property
    def calibrated(self) -> bool:
        """Whether it gives a calibrated probability of a grade, so that it can answer together with others."""
        return False

    def validated(self, context: "Context", fold: int) -> Mapping[str, float]:
        """By task, the first metric that its training left for the validation patients of a fold; nothing where it
        left none."""
        return {}
