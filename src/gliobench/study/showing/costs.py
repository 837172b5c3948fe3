"""What each compared model took in this run: how long training and answering took, and on what."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from gliobench.integrity import DamagedError, Stamp, read_stamp
from gliobench.study.asking.answers import current_answers
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.report.contents import Cost


def costs(context: Context, names: Collection[str]) -> dict[str, "Cost"]:
    """By model, in the order of the study file; a model that several folds chose among others is several."""
    wanted = {part for name in names for part in name.split(" / ")}
    return {config.name: _cost(context, config) for config in context.study.models if config.name in wanted}


def _cost(context: Context, config: ModelConfig) -> "Cost":
    from gliobench.report.contents import Cost

    learning = [_stamp(context, Stage(config.verb, config.name, fold)) for fold in context.folds] if config.verb else []
    learnt = [one for one in learning if one is not None]
    answered = _stamp(context, Stage("predict", config.name))
    stamps = [*learnt, *([answered] if answered else [])]
    return Cost(
        learning_s=sum(one.seconds for one in learnt) if learnt or not config.verb else None,
        answering_s=None if config.external else _answering(context, config),
        where="" if config.external else config.runs_elsewhere or _where(stamps),
    )


def _answering(context: Context, config: ModelConfig) -> float | None:
    """Seconds that its answers to test patients took; None where some were not timed."""
    seconds = [record.seconds for record in current_answers(context, config.name)]
    return None if None in seconds else sum(one for one in seconds if one is not None)


def _where(stamps: Sequence[Stamp]) -> str:
    return " and ".join(sorted({one.device for one in stamps if one.device}))


def _stamp(context: Context, stage: Stage) -> Stamp | None:
    try:
        return read_stamp(context.folder.stamp(stage))
    except DamagedError:  # its stage is done again, and says so
        return None
