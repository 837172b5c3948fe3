"""A language model of a study asked in other words, or shown another view: the same patients, split and slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.branch import BranchContext, BranchFolder, alone, branch_study
from gliobench.study.state.context import Context

Key = Literal["prompts", "view"]


@dataclass(frozen=True)
class Variant:
    """One of the study's other prompts or views; `name` is its in tables and folders."""

    key: Key
    name: str
    value: Any

    def __str__(self) -> str:
        return f"{self.key}-{self.name}"


@dataclass(frozen=True)
class VariantContext(BranchContext):
    """A model with one of the variants."""

    variant: Variant = field(kw_only=True)

    @property
    def label(self) -> str:
        return f"{self.model.name}, {self.variant.key} {self.variant.name}"


def variants_of(study: Study) -> list[Variant]:
    """What is varied, each under a name of its own; views of one name are numbered."""
    if study.sensitivity is None:
        return []
    prompts = [(path.name.partition("#")[0].removesuffix(".yaml"), path) for path in study.sensitivity.prompts]
    return [*_named("prompts", prompts), *_named("view", [(view.name, view) for view in study.sensitivity.views])]


def _named(key: Key, given: Sequence[tuple[str, Any]]) -> Iterator[Variant]:
    for place, (name, value) in enumerate(given):
        before = sum(other == name for other, _ in given[:place])
        yield Variant(key, f"{name} {before + 1}" if before else name, value)


def varied_models(study: Study) -> tuple[list[ModelConfig], list[str]]:
    """The models that can be asked otherwise, and a sentence on language models that cannot."""
    found, left = alone(study, "sensitivity")
    variants = variants_of(study)
    varied = [one for one in found if variants and one.varied(variants[0].key, variants[0].value) is not None]
    if tuned := [one.name for one in found if one.finetuned]:
        left.append(f"sensitivity, without {', '.join(tuned)}: fine-tuned on its own prompts and view")
    return varied, left


def variant_entry(config: ModelConfig, variant: Variant) -> ModelConfig:
    """The entry of a model with a variant. Raises ValueError for a view that does not fit the study."""
    entry = config.varied(variant.key, variant.value)
    assert entry is not None
    return entry


def with_variants(context: Context, models: Sequence[ModelConfig]) -> Iterator[VariantContext]:
    """The study of each model with each variant."""
    for config in models:
        for variant in variants_of(context.study):
            model = variant_entry(config, variant)
            folder = BranchFolder(context.folder.sensitivity(model.name) / str(variant), study=context.folder)
            yield VariantContext(
                branch_study(context.study, model),
                context.cohort,
                folder,
                context.store,
                workers=context.workers,
                whole=context,
                model=model,
                variant=variant,
            )
