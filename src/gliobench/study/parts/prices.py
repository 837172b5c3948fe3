"""The part `prices:` of a study file."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from gliobench.models.server.prices import Price, Prices
from gliobench.study.parts.base import Config

CPU = "CPU"  # as stamps name a machine whose GPU was not used
HOUR_S = 3600.0


class PricesConfig(Config):
    """What an hour of this machine costs: `hour` where no GPU is used, `gpu_hour` with one GPU; and a million tokens of
    served models whose entry has no `prices` of its own. What a price is not given for, is not known in money."""

    LATER: ClassVar = frozenset({"hour", "gpu_hour", "million_input_tokens", "million_output_tokens"})

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    hour: Price | None = None
    gpu_hour: Price | None = None
    million_input_tokens: Price | None = None
    million_output_tokens: Price | None = None

    @model_validator(mode="after")
    def _tokens_in_and_out(self) -> Self:
        if (self.million_input_tokens is None) != (self.million_output_tokens is None):
            raise ValueError("give both million_input_tokens and million_output_tokens, or neither")
        return self

    @property
    def tokens(self) -> Prices | None:
        """Of served models; None where they are not given."""
        if self.million_input_tokens is None or self.million_output_tokens is None:
            return None
        return Prices(self.million_input_tokens, self.million_output_tokens, self.currency)

    @property
    def words(self) -> str:
        """`EUR 0.4 per hour without GPU, 2.5 per hour of a GPU`."""
        named = {
            "hour without GPU": self.hour,
            "hour of a GPU": self.gpu_hour,
            "million input tokens": self.million_input_tokens,
            "million output tokens": self.million_output_tokens,
        }
        given = [f"{price:g} per {what}" for what, price in named.items() if price is not None]
        return f"{self.currency} {', '.join(given)}"

    def of_time(self, seconds: float, device: str | None) -> float | None:
        """Money for seconds on a device, as stamps name it; None where its price or the device is not known."""
        price = None if device is None else self.hour if device == CPU else self.gpu_hour
        return None if price is None else seconds / HOUR_S * price
