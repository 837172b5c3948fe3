"""What each compared model took in this run: how long training and answering took, on what, and what that cost."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.integrity import DamagedError, Stamp, read_stamp
from gliobench.records.record import Record
from gliobench.study.asking.answers import current_answers
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.report.contents import Cost, Money


def costs(context: Context, names: Collection[str]) -> dict[str, "Cost"]:
    """By model, in the order of the study file; a model that several folds chose among others is several."""
    wanted = {part for name in names for part in name.split(" / ")}
    return {config.name: _cost(context, config) for config in context.study.models if config.name in wanted}


def _cost(context: Context, config: ModelConfig) -> "Cost":
    from gliobench.report.contents import Cost

    learning = (
        [_stamp(context.folder.stamp(Stage(config.verb, config.name, fold))) for fold in context.folds]
        if config.verb
        else []
    )
    learnt = [one for one in learning if one is not None]
    asking = [stamp for stamp in _asking(context, config) if stamp is not None]
    answered = _together(_asking(context, config))
    stamps = [*learnt, *asking]
    records = [] if config.external else current_answers(context, config.name)
    return Cost(
        learning_s=_fitting(answered, records) if _is_fitted(config) else _learning(config, learnt),
        answering_s=None if config.external else _answering(records),
        where="" if config.external else config.runs_elsewhere or _where(stamps),
        money=None if config.external else _money(context, config, learning, answered, records),
    )


def _asking(context: Context, config: ModelConfig) -> list[Stamp | None]:
    """The stamps of the stages that asked it: of its shards where it was shared, else of the one."""
    stage = Stage("predict", config.name)
    return [_stamp(path) for path in context.folder.shards(stage) or [context.folder.stamp(stage)]]


def _together(stamps: Sequence[Stamp | None]) -> Stamp | None:
    """The stages of a model as one; None where one is not known, or they ran on different hardware."""
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) < len(stamps) or len({stamp.device for stamp in known}) != 1:
        return None
    return replace(known[0], seconds=sum(stamp.seconds for stamp in known))


def _is_fitted(config: ModelConfig) -> bool:
    """Whether it learns in the stage in which it is asked."""
    return config.learns and not config.verb


def _learning(config: ModelConfig, learnt: Sequence[Stamp]) -> float | None:
    return sum(one.seconds for one in learnt) if learnt or not config.verb else None


def _fitting(answered: Stamp | None, records: Sequence[Record]) -> float | None:
    """Seconds of the stage that were not for answers to test patients; None where it did not give all of them."""
    seconds = _answering(records)
    return None if seconds is None or answered is None or answered.seconds < seconds else answered.seconds - seconds


def _answering(records: Sequence[Record]) -> float | None:
    """Seconds that answers to test patients took; None where some were not timed."""
    return _sum([record.seconds for record in records])


def _money(
    context: Context,
    config: ModelConfig,
    learning: Sequence[Stamp | None],
    answered: Stamp | None,
    records: Sequence[Record],
) -> "Money | None":
    """What training and answers to test patients cost; None where the study gives no price for it."""
    from gliobench.report.contents import Money

    prices, tokens = context.study.prices, config.token_prices
    if prices is None and tokens is None:
        return None
    stages = [_stage_money(context, config, one) for one in learning]
    if _is_fitted(config):
        stages = [_time_money(context, config, answered, _fitting(answered, records))]
    answering = _tokens_money(config, records) if config.by_tokens else _hours_money(context, config, answered, records)
    patients = {context.patients[record.subject] for record in records}
    return Money(
        currency=prices.currency if prices else tokens.currency if tokens else "",
        learning=_sum(stages),
        answering=answering,
        patient=answering / len(patients) if answering is not None and patients else None,
    )


def _stage_money(context: Context, config: ModelConfig, stamp: Stamp | None) -> float | None:
    known = stamp if config.hardware_is_known else None
    return _time_money(context, config, known, known.seconds if known else None)


def _hours_money(
    context: Context, config: ModelConfig, answered: Stamp | None, records: Sequence[Record]
) -> float | None:
    """The stage's hardware is that of the answers only where it gave them all: it took at least as long as they did."""
    seconds = _answering(records)
    gave_all = answered is not None and seconds is not None and answered.seconds >= seconds
    return _time_money(context, config, answered, seconds) if gave_all else None


def _time_money(context: Context, config: ModelConfig, stamp: Stamp | None, seconds: float | None) -> float | None:
    """Seconds at the price of a stage's hardware; None where one of them is not known."""
    prices = context.study.prices
    if prices is None or stamp is None or seconds is None or config.runs_elsewhere:
        return None
    return prices.of_time(seconds, stamp.device)


def _tokens_money(config: ModelConfig, records: Sequence[Record]) -> float | None:
    """None where the server did not count the tokens of an answer; a question without a reply has none."""
    prices, replies = config.token_prices, [record for record in records if record.text is not None]
    prompt = _sum([record.prompt_tokens for record in replies])
    answer = _sum([record.tokens for record in replies])
    return None if prices is None or prompt is None or answer is None else prices.of_tokens(prompt, answer)


def _sum(amounts: Sequence[float | None]) -> float | None:
    """None where one of them is not known."""
    known = [one for one in amounts if one is not None]
    return sum(known) if len(known) == len(amounts) else None


def _where(stamps: Sequence[Stamp]) -> str:
    return " and ".join(sorted({one.device for one in stamps if one.device}))


def _stamp(path: Path) -> Stamp | None:
    try:
        return read_stamp(path)
    except DamagedError:  # its stage is done again, and says so
        return None
