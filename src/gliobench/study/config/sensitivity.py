"""The part `sensitivity:` of a study file."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gliobench.ranges import once
from gliobench.study.kinds.speaking import ViewConfig
from gliobench.study.parts.base import Config, Outside


class SensitivityConfig(Config):
    """Every language model that is not fine-tuned here is asked again with each of `prompts`, sets of the package by
    name or files, and with each of `views`."""

    prompts: Annotated[tuple[Outside, ...], Field(max_length=20), AfterValidator(once)] = ()
    views: Annotated[tuple[ViewConfig, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _something_varies(self) -> Self:
        if not (self.prompts or self.views):
            raise ValueError("name `prompts`, such as [terse, expert, form], or `views`, such as [rgb, mosaic]")
        return self
