"""When each model answered, and as which model its server says it did."""

from collections import Counter
from collections.abc import Iterator

from gliobench.study.asking.answers import current_answers
from gliobench.study.state.context import Context


def dates(context: Context) -> Iterator[str]:
    """By model, the first and the last day (UTC) of its answers, and the server's name for it."""
    for config in context.study.models:
        records = current_answers(context, config.name)
        days = sorted(record.time[:10] for record in records if record.time)
        if days:
            named = "".join(f" as {name}" for name in _served(context, config.name))
            yield f"{config.name}{named} {days[0] if days[0] == days[-1] else f'{days[0]} to {days[-1]}'}"


def changed_models(context: Context) -> Iterator[str]:
    """A sentence on each model that its server answered for under several names or fingerprints."""
    for config in context.study.models:
        if len(served := _served(context, config.name)) > 1:
            counts = ", ".join(f"{count} as {name}" for name, count in served.items())
            yield (
                f"{config.name}: its server changed the model during the run (answers: {counts}). These are figures of "
                "several models; for those of one, pin its version at the server and run with another --out."
            )


def _served(context: Context, model: str) -> Counter[str]:
    return Counter(record.served for record in current_answers(context, model) if record.served)
