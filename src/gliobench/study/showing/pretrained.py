"""What pretrained models are declared to have seen."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gliobench.cohort.patients import scans_of
from gliobench.study.parts.seen import seen_words
from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.report.contents import Pretrained


def pretrained(context: Context) -> Iterator["Pretrained"]:
    """By model that was pretrained elsewhere, what its entry declares, and who of the test patients is among it."""
    from gliobench.report.contents import Pretrained

    tested = {id: context.patients[id] for id in context.tested}
    for config in context.study.models:
        if config.declared is not None:
            checkpoint, seen = config.declared
            known = () if isinstance(seen, str) else scans_of(tested, seen)
            yield Pretrained(config.name, checkpoint, seen_words(seen), tuple(known))
