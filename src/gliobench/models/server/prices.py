"""What a server charges for its answers."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from gliobench.ranges import Real

Price = Annotated[Real, Field(ge=0, le=1e9)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Prices:
    """Money per million tokens of prompts (images included) and of answers."""

    prompt: Price
    answer: Price
    currency: str = "USD"

    def of_tokens(self, prompt: float, answer: float) -> float:
        """Money for so many tokens of prompts and of answers."""
        return (prompt * self.prompt + answer * self.answer) / 1e6
