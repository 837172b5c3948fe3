"""How far the numbers of settings go: what no study means is a slip of the pen.

The ranges stand with the settings that have them; who checks them is the study file, where people write.
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
    """The values, each of which stands there once; raises ValueError otherwise."""
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return values


Whole = Annotated[int, BeforeValidator(_no_truth)]
Real = Annotated[float, BeforeValidator(_no_truth)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
SizeVoxels = Annotated[Whole, Field(ge=4, le=1024)]  # along an axis
Step = Annotated[Whole, Field(ge=1, le=1024)]  # every so many slices
Batch = Annotated[Whole, Field(ge=1, le=4096)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]  # what NumPy takes
Rate = Annotated[Real, Field(gt=0, le=10)]  # of learning
Decay = Annotated[Real, Field(ge=0, le=10)]  # of weights
Temperature = Annotated[Real, Field(ge=0, le=100)]
Share = Annotated[Real, Field(gt=0, lt=1)]
ShareFromZero = Annotated[Real, Field(ge=0, lt=1)]
Text = Annotated[str, Field(min_length=1)]
