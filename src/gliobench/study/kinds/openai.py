"""Entries of a study file for language models on a server."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator

from gliobench.models.server.prices import Prices
from gliobench.ranges import Real, Whole
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.speaking import SpeakingConfig
from gliobench.study.parts.prices import PricesConfig

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model
    from gliobench.study.plan.estimates import Missing, ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round

ANSWER_SECONDS = 2.0  # assumed
PATIENCE_S = 3.0


class ServerConfig(SpeakingConfig):
    """A model on a server that speaks OpenAI's chat completions; see `gliobench.models.server.client.OpenAIModel`.

    `base_url`: the server's address, or a list of those of several servers of the same model, which share the
    questions; `in_flight` is of each. `key_env`: the environment variable that holds the server's key, where it asks
    for one; a key itself has no place in a study file. `view` and `shots` are those of `kind: vlm`. `OPERATION`: what
    decides how the server is asked, not what is asked.
    """

    OPERATION: ClassVar = frozenset({"key_env", "in_flight", "timeout_s", "attempts", "prices"})

    own_camp: ClassVar[Camp] = "general"

    kind: Literal["openai"]
    base_url: str | tuple[str, ...]
    model: str = Field(min_length=1)
    key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    in_flight: Whole = Field(default=16, ge=1, le=1024)
    timeout_s: Real = Field(default=120.0, gt=0, le=3600)
    attempts: Whole = Field(default=6, ge=1, le=20)
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    guided: Literal["structured_outputs", "guided_regex", "regex", "json_schema"] | None = None
    logprobs: bool = False
    prices: Prices | None = None
    _study_prices: Prices | None = PrivateAttr(None)

    @field_validator("base_url")
    @classmethod
    def _are_addresses(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        addresses = (given,) if isinstance(given, str) else given
        if not addresses or len(set(addresses)) < len(addresses):
            raise ValueError("expected one address, or a list of different ones")
        if not all(map(_is_address, addresses)):
            raise ValueError("expected an address such as http://127.0.0.1:8000/v1")
        return given

    @model_validator(mode="after")
    def _counts_as_it_is_shown(self) -> Self:
        self._check_convention(["guided"] if self.guided else [])
        return self

    @model_validator(mode="after")
    def _probabilities_for_their_mean(self) -> Self:
        if self.aggregate == "mean-probability" and not self.logprobs:
            raise ValueError("aggregate: mean-probability needs a probability with each slice: add `logprobs: true`")
        return self

    @property
    def known_as(self) -> str:
        return self.model

    @property
    def source_words(self) -> str:
        return f"{self.model} at {', '.join(self.addresses)}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of the servers of this model, the first of which its cached answers belong to."""
        return (self.base_url,) if isinstance(self.base_url, str) else self.base_url

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.server.client import OpenAIModel, Server
        from gliobench.models.server.key import read_key
        from gliobench.study.asking.shots import reference_shots

        key = read_key(self.key_env)
        return OpenAIModel(
            [Server(one, key, self.timeout_s, self.attempts) for one in self.addresses],
            self.model,
            name=self.name,
            tasks=self.tasks,
            prompts=self.prompts_of(context.study.asked_region),
            view=self.picture,
            shots=reference_shots(context, self, round, plane),
            decoding=self.decoding(),
            in_flight=self.in_flight,
            guided=self.guided,
            logprobs=self.logprobs,
            limit_field=self.limit_field,
            prices=self.token_prices,
            problem=self.problem,
        )

    def priced(self, prices: PricesConfig | None) -> Self:
        if prices and self.prices and self.prices.currency != prices.currency:
            raise ValueError(
                f"models: {self.name}: its prices are in {self.prices.currency}, those of the study in "
                f"{prices.currency}: give both in one `currency`"
            )
        entry = self.model_copy()
        entry._study_prices = prices.tokens if prices else None
        return entry

    @property
    def by_tokens(self) -> bool:
        return True

    @property
    def token_prices(self) -> Prices | None:
        return self.prices or self._study_prices

    @property
    def runs_elsewhere(self) -> str:
        return "a server"

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        from gliobench.study.plan.estimates import Estimate, ModelPlan, hours
        from gliobench.study.plan.language import asking

        asked = asking(plan_inputs, self, None)
        step, number = asked.step, sum(asked.number.values())
        side_by_side = self.in_flight * len(self.addresses)
        step = replace(step, hours_here=asked.hours or hours(number * ANSWER_SECONDS / side_by_side))
        if (prices := self.token_prices) is not None and step.tokens_out:
            cost = prices.of_tokens(asked.tokens_in, step.tokens_out.value)
            step = replace(step, money=Estimate(cost, "estimate"), currency=prices.currency)
        return ModelPlan((step,), missing=tuple(self._missing()), said=self.remarks())

    def _missing(self) -> "Iterator[Missing]":
        """A key that is not set, and a server that does not answer."""
        from gliobench.study.plan.estimates import Missing

        if self.key_env and not os.environ.get(self.key_env):
            yield Missing(self.name, f"the environment variable {self.key_env} (key_env) is not set")
        for one in self.addresses:
            address = urlsplit(one)
            port = address.port or (443 if address.scheme == "https" else 80)
            try:
                socket.create_connection((address.hostname or "", port), PATIENCE_S).close()
            except OSError as error:
                yield Missing(self.name, f"no server answers at {one}: {error}")


def _is_address(url: str) -> bool:
    try:
        found = urlsplit(url)
        usable = found.scheme in ("http", "https") and found.hostname and (found.port or 1) > 0
    except ValueError:  # brackets that do not close, a port beyond 65535
        return False
    return bool(usable) and not any(one.isspace() for one in url)
