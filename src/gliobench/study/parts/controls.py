"""The part `controls:` of a study file."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from gliobench.grid.controls import BUILT_IN, CONTROLS
from gliobench.ranges import Count, Text, once
from gliobench.study.parts.base import Config


def _are_known(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in CONTROLS]:
        raise ValueError(f"no control is named {', '.join(unknown)}; there are {', '.join(CONTROLS)}")
    return names


class ControlsConfig(Config):
    """Every model that answers from the image alone is asked again about `slices` slices, or the whole, of each of
    `patients` test patients, with `images` in the place of their own."""

    patients: Count = 20
    slices: Count = 3
    images: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(once), AfterValidator(_are_known)] = tuple(
        BUILT_IN
    )


def _yes_or_no(value: Any) -> Any:
    """`true` alone stands for the default, `false` for none."""
    if isinstance(value, bool):
        return {} if value else None
    return value


Controls = Annotated[ControlsConfig | None, BeforeValidator(_yes_or_no)]
