"""The part `split:` of a study file."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gliobench.cohort.variables import stated
from gliobench.grid.splits import Split
from gliobench.ranges import Seed, Share, Text, Whole
from gliobench.study.parts.base import Config, Outside


class SplitConfig(Config):
    """By patient, stratified by grade; or read from `file` (JSON as `gliobench split` writes it, or CSV with columns id
    and part), which has a scheme and folds of its own. `scheme: reference-study`: the patients whom the reference
    study tested and its five folds, as far as they are in the cohort.

    `holdout`: `test_share` of the patients is tested, fold `fold` of the others decides; with `fold: all` a network
    learns from each fold and they answer together. `cross-validation`: each of the folds (or the one named) is tested
    by models that learnt from the others; `validation_share` of those decides. `exclude`: cohorts whose patients, by
    id, are in no part of the split, because they will be tested elsewhere. `train_only`: patients of whom the cohort's
    table says this, by column, are training patients of every fold and never tested. `together`: a column of the table;
    patients of whom it says the same, such as a matched case and control, a family or a hospital, stay in one part.
    `by`: a column, such as `source`; each of its values is a fold of a cross-validation, tested by models that learnt
    from the others.
    """

    LATER: ClassVar = frozenset({"train_only", "together", "by"})

    scheme: Literal["holdout", "cross-validation", "reference-study"] = "holdout"
    test_share: Share = 0.3
    validation_share: Share = 0.15
    folds: Annotated[Whole, Field(ge=2, le=1000)] = 5
    fold: Annotated[Whole, Field(ge=0, lt=1000)] | Literal["all"] | None = None
    seed: Seed = 0
    file: Outside | None = None
    exclude: tuple[Outside, ...] = ()
    train_only: dict[Text, Text | tuple[Text, ...]] = Field(default={})
    together: Text | None = None
    by: Text | None = None

    @model_validator(mode="after")
    def _by_makes_the_folds(self) -> Self:
        others = self.model_fields_set & {"scheme", "test_share", "folds", "file", "together", "train_only"}
        if self.by and others:
            raise ValueError(f"`by` makes the folds: leave {', '.join(sorted(others))} out")
        return self

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.counts_folds and isinstance(self.fold, int) and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds}: folds are counted from 0")
        return self

    def unit(self, patient: str, variables: Mapping[str, str]) -> str:
        """What a scan is split with: the group of its patient, else the patient."""
        group = stated(variables, self.together) if self.together else None
        return f"{self.together} {group}" if group else patient

    @property
    def counts_folds(self) -> bool:
        """Whether there are as many folds as `folds` says: a file has its own, and `by` makes them of a column."""
        return self.file is None and self.by is None

    def only_trains(self, variables: Mapping[str, str]) -> bool:
        """Whether a patient of whom a table says this is never tested."""
        named = {key: (value,) if isinstance(value, str) else value for key, value in self.train_only.items()}
        return any(variables.get(key) in values for key, values in named.items())

    def numbers(self, split: Split) -> tuple[int, ...]:
        """The folds in use of a split: all of a cross-validation's, the first of a hold-out's, where none is named."""
        if self.fold == "all" or (self.fold is None and split.crossed):
            return tuple(range(len(split.folds)))
        return (self.fold or 0,)
