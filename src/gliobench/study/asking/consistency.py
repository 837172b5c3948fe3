"""The same slice put to a language model again and again: which answers belong together, and how they were drawn."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import current_answers, repeated_answers
from gliobench.study.asking.questions import repeated_places
from gliobench.study.config.study import ConsistencyConfig
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.scoring.consistency import Consistency, Repeated


def score_consistency(context: Context) -> "Consistency | None":
    """How alike the answers to one input are, for every language model; None where the study asks nothing twice."""
    from gliobench.scoring.consistency import measure

    config = context.study.consistency
    return None if config is None else measure(_inputs(context, config))


def sampling(context: Context) -> dict[str, str]:
    """By language model that is asked about the task of `consistency`, how its answers are drawn, in words."""
    config = context.study.consistency
    return {} if config is None else {model.name: model.sampling_words(config.task) for model in _models(context)}


def _models(context: Context) -> Iterator[ModelConfig]:
    config = context.study.consistency
    return (model for model in context.study.models if config is not None and config.task in model.spoken_tasks)


def _inputs(context: Context, config: ConsistencyConfig) -> Iterator["Repeated"]:
    from gliobench.scoring.consistency import Repeated

    plane = context.study.slices.planes[0]
    places = repeated_places(context, config)
    for model in _models(context):
        records: dict[str, list[Record]] = {id: [] for id in places}
        for record in (*current_answers(context, model.name), *repeated_answers(context, model.name)):
            if (record.task, record.plane, record.index) == (config.task, plane, places.get(record.subject)):
                records[record.subject].append(record)
        for id, own in records.items():
            subject = context.subjects[id]
            answers = tuple(record_answer(record, subject, Arrays(context.folder.masks)) for record in own)
            frame, drawn = subject.frame(plane, places[id]), model.samples(config.task)
            yield Repeated(
                model.name, config.task, id, subject.grade, frame, answers, drawn, subject.patient, subject.problem
            )
