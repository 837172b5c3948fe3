"""The allowed ranges of settings: a value outside is a typing mistake.

The ranges are declared with the settings; the study file, which people write, is checked against them.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

T = TypeVar("T")


def _no_truth(value: Any) -> Any:
    """Python takes true for 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number, found true or false")
    return value


def once(values: tuple[T, ...]) -> tuple[T, ...]:
    """The values, without duplicates; raises ValueError otherwise."""
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise ValueError(f"{', '.join(twice)} is duplicated")
    return values


Whole = Annotated[int, BeforeValidator(_no_truth)]
Real = Annotated[float, BeforeValidator(_no_truth)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
SizeVoxels = Annotated[Whole, Field(ge=4, le=1024)]  # along an axis
Step = Annotated[Whole, Field(ge=1, le=1024)]  # in slices
Batch = Annotated[Whole, Field(ge=1, le=4096)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]  # what NumPy takes
Rate = Annotated[Real, Field(gt=0, le=10)]  # of learning
Decay = Annotated[Real, Field(ge=0, le=10)]  # of weights
Temperature = Annotated[Real, Field(ge=0, le=100)]
Share = Annotated[Real, Field(gt=0, lt=1)]
ShareFromZero = Annotated[Real, Field(ge=0, lt=1)]
Text = Annotated[str, Field(min_length=1)]
