"""One model of a study with another seed: the same patients, split and questions; what it draws is drawn anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.branch import BranchContext, BranchFolder, alone, branch_study
from gliobench.study.state.context import Context
from gliobench.study.state.curve import Folds


@dataclass(frozen=True)
class SeedContext(BranchContext):
    """A model with its `number`-th further seed, from 1."""

    number: int = field(kw_only=True)

    @property
    def label(self) -> str:
        return f"{self.model.name}, seed {self.number + 1}"

    @cached_property
    def folds(self) -> Folds:
        return self.whole.folds


def seeded_models(study: Study) -> tuple[list[ModelConfig], list[str]]:
    """The models that a seed changes, and a sentence on those that it does not, or that answer with others."""
    found, left = alone(study, "seeds")
    drawing = [config for config in found if config.seeded(1) is not None]
    if fixed := [config.name for config in found if config not in drawing and not config.trivial]:
        left.append(f"seeds, without {', '.join(fixed)}: no seed that can be set changes what they answer")
    return drawing, left


def with_seeds(context: Context, models: Sequence[ModelConfig]) -> Iterator[SeedContext]:
    """The study of each model with each of its further seeds."""
    for config in models:
        for number in range(1, context.study.seeds or 1):
            yield _with_seed(context, config, number)


def _with_seed(context: Context, config: ModelConfig, number: int) -> SeedContext:
    model = config.seeded(number)
    assert model is not None
    folder = BranchFolder(context.folder.seeds(model.name) / str(number), study=context.folder)
    return SeedContext(
        branch_study(context.study, model),
        context.cohort,
        folder,
        context.store,
        workers=context.workers,
        whole=context,
        model=model,
        number=number,
    )
