"""The key `region:` of a study file: which part of the tumour is asked about."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from gliobench.grid.regions import BRATS_REGIONS, REGIONS, Region, RegionName, region_of_label
from gliobench.ranges import Text, Whole
from gliobench.study.parts.base import Config

EXPECTED = f'expected {", ".join(REGIONS)}, or a label with its words: {{label: 1, words: "necrotic core"}}'


class RegionConfig(Config):
    """One of BraTS's regions by name, or one label with what a prompt and the report call it.

    Labels are as in BraTS 2018 to 2021, whatever the cohort's own numbering (`gliobench.cohort.label_schemes`): 1 the
    core that does not enhance, 2 oedema, 4 (in BraTS 2023 3) enhancing tumour.
    """

    name: RegionName | None = None
    label: Annotated[Whole, Field(ge=1, le=4)] | None = None
    words: Annotated[Text, Field(pattern=r"\S")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _a_name(cls, value: Any) -> Any:
        if isinstance(value, dict | RegionConfig):
            return value
        if value not in REGIONS:
            raise ValueError(EXPECTED)
        return {"name": value}

    @model_validator(mode="after")
    def _a_name_or_a_label(self) -> Self:
        label = self.label is not None and self.words is not None
        if (self.name is not None) == label or (self.name is not None and (self.label or self.words)):
            raise ValueError(EXPECTED)
        return self

    def to_region(self) -> Region:
        """The region itself."""
        if self.name is not None:
            return BRATS_REGIONS[self.name]
        assert self.label is not None
        assert self.words is not None
        return region_of_label(self.label, self.words)


ALL_OF_IT = RegionConfig(name="whole")
