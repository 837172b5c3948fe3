"""The part `learning_curve:` of a study file."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gliobench.ranges import Count, Whole, once
from gliobench.study.parts.base import Config


class LearningCurveConfig(Config):
    """Every model that learns is trained on `sizes` training patients too, each time on `repeats` other draws of them.
    The patients of a smaller size are among those of a larger one."""

    sizes: Annotated[tuple[Count, ...], AfterValidator(once), AfterValidator(lambda sizes: tuple(sorted(sizes)))] = (
        Field(min_length=1, max_length=50)
    )
    repeats: Annotated[Whole, Field(ge=1, le=100)] = 3
