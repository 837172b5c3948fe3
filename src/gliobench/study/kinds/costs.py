"""What a kind of model says of what it takes, and what tables and report say of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from gliobench.models.checkpoints.files import Use
from gliobench.models.server.prices import Prices
from gliobench.study.parts.prices import PricesConfig

if TYPE_CHECKING:
    from gliobench.study.parts.seen import Seen
    from gliobench.study.state.context import Context


class CostHooks:
    """What plan and report ask of an entry's checkpoint, machine and price; by default nothing is known."""

    @property
    def runs_elsewhere(self) -> str | None:
        """Where it computes, in words, if not in this process."""
        return None

    def priced(self, prices: PricesConfig | None) -> Self:
        """The entry in a study with these prices. Raises ValueError where its own are in another currency."""
        return self

    @property
    def by_tokens(self) -> bool:
        """Whether its answers are paid by tokens, not by hours."""
        return False

    @property
    def token_prices(self) -> Prices | None:
        """What its tokens cost; None where they cost nothing of their own, or nobody has said."""
        return None

    @property
    def hardware_is_known(self) -> bool:
        """Whether the stamps of its stages name all the hardware that it learns and answers on."""
        return self.runs_elsewhere is None

    @property
    def checkpoint_source(self) -> tuple[str, str | None] | None:
        """Its checkpoint and revision; None where it has none."""
        return None

    @property
    def declared(self) -> "tuple[str, Seen] | None":
        """Its checkpoint, and what its entry declares of the patients that this was pretrained on; None where it was
        not pretrained elsewhere."""
        return None

    def machine_faults(self, context: "Context") -> Iterator[tuple[str, str]]:
        """What it cannot do on this machine: keys of its entry, and why."""
        return iter(())

    @property
    def checkpoint_use(self) -> Use | None:
        """What its checkpoint has to do; None where it has none."""
        return None

    @property
    def mark(self) -> str:
        """What stands beside its name in tables."""
        return ""

    def notes(self) -> Iterator[str]:
        """Sentences of the report on how it was asked."""
        return iter(())
