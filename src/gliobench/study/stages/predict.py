"""Stage `predict`: inference of every model on every question of the study; cached answers are reused."""

import platform
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter

from gliobench.grid.controls import CONTROLS
from gliobench.grid.frame import Plane
from gliobench.integrity import remove
from gliobench.models.base.errors import ModelStopped
from gliobench.models.base.prediction import Charged, Model, Prediction, Question
from gliobench.records.record import make_record, now, question_key
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import answers_digest, known_digest, question_lists, write_asked
from gliobench.study.asking.blocks import block_numbers, of_shard
from gliobench.study.asking.controls import control_inputs, control_notes, control_questions
from gliobench.study.asking.external import external_digest
from gliobench.study.asking.questions import (
    patient_questions,
    repeated_questions,
    slice_questions,
    without_slices,
    without_truth,
)
from gliobench.study.asking.region import region_notes
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import SHARD, Shard, Stage
from gliobench.study.state.context import Context, Round, StageError
from gliobench.study.state.external_files import BY_CONTENT, contents
from gliobench.study.state.folder import fingerprint

# Where a model runs, what is made of its answers, and what is declared of it.
NOT_ASKED = {"log", "aggregate", "camp", "sweep_test", "seen"}


def predict(context: Context, names: Collection[str] | None = None, shard: Shard | None = None) -> None:
    """Ask the models of the study, or only those named, about the test patients; of a `shard` only about its patients.

    A shard's answers are a part of the model's: to ask the model then without a shard asks what is left.
    """
    parts = context.study.models
    if unknown := sorted(set(names or ()) - {config.name for config in parts}):
        raise StageError(f"no model is named {', '.join(unknown)}; the study has {', '.join(p.name for p in parts)}")
    for sentence in without_truth([context.subjects[id] for id in context.tested], context.study.tasks):
        context.voice.say(sentence)
    if context.study.slices.by is None:  # else they are known once another model has chosen them
        for sentence in without_slices(context):
            context.voice.say(sentence)
    for sentence in (*region_notes(context.study), *control_notes(context)):
        context.voice.say(sentence)
    for config in sorted(parts, key=lambda config: _depth(context.study, config)):
        if names is None or config.name in names:
            if shard is not None:
                _ask_shard(context, config, shard)
                continue
            _ask(context, config)
            config.after(context)


def _depth(study: Study, config: ModelConfig) -> int:
    """How many models have to answer one behind the other before this one can: 0 where it needs nobody's answers."""
    parts = {one.name: one for one in study.models}
    known: dict[str, int] = {}

    def depth(name: str, above: frozenset[str]) -> int:
        if name not in known:
            whole = (parts[name], *parts[name].members(study))
            wanted = [
                *(one for config in whole for one in config.needs),
                *([study.slices.by] if study.slices.by else []),
            ]
            needed = {one for one in wanted if one in parts}
            known[name] = max((1 + depth(one, above | {name}) for one in needed - above - {name}), default=0)
        return known[name]

    return depth(config.name, frozenset())


def _ask(context: Context, config: ModelConfig) -> None:
    inputs = asking_inputs(context, config)
    with context.stage(Stage("predict", config.name), inputs, lambda: question_lists(context, config.name)) as to_do:
        if not to_do:
            answers_digest(context, config.name)  # an answer that is damaged or gone is said here, not hours later
            return
        for one in (config, *config.members(context.study)):
            _check_trained(context, one)
        remove(context.folder.asked(config.name))
        for sentence in (*_fits(context, config), *config.remarks(), *config.warnings(context)):
            context.voice.say(sentence)
        asked: list[str] = []
        repeated: list[str] = []
        validation: list[list[str]] = [[] for _ in context.rounds]
        controls: list[str] = []
        for model, questions, round, plane in _models_and_questions(context, config):
            keys = _ask_model(context, config, model, questions)
            for key, question in zip(keys, questions, strict=True):
                tested = question.subject.id in round.test
                decides = validation[context.rounds.index(round)]
                (decides if not tested else repeated if question.repeat else asked).append(key)
            for control, altered in control_questions(context, config, model, round, plane):
                controls += _ask_model(context, config, model, altered, control)
        write_asked(context, config.name, asked, repeated, validation, controls if context.study.controls else None)


def _ask_shard(context: Context, config: ModelConfig, shard: Shard) -> None:
    """Ask a shard's questions, and keep the answers in a file that no other process writes, here or elsewhere."""
    if not config.asked_by_slice:
        raise StageError(f"{config.name} is not asked slice by slice: `gliobench predict` asks it without --shard")
    with context.stage(Stage("predict", config.name, shard=shard), asking_inputs(context, config), lambda: ()) as to_do:
        if not to_do:
            return
        for one in (config, *config.members(context.study)):
            _check_trained(context, one)
        for model, questions, *_ in _models_and_questions(context, config):
            _ask_model(context, config, model, of_shard(questions, shard), writer=f"{shard}{SHARD}{platform.node()}")


def asking_inputs(context: Context, config: ModelConfig) -> str:
    """Fingerprint of everything that decides which questions are asked and what is answered."""
    study = context.study
    by, masks = study.slices.by, config.masks_by
    again = study.consistency if study.consistency and config.samples(study.consistency.task) else None
    decided = config.leaves_validation_out or any(study.on_validation(config, task) for task in study.tasks)
    none = dict.fromkeys(("reading", "held", "prompted_by"))  # what some kinds have
    problem = {"problem": study.problem.asked_digest} if study.problem.asked_digest else {}
    return fingerprint(
        **problem,
        **control_inputs(context, config),
        model=config.model_dump(exclude=NOT_ASKED | config.OPERATION | BY_CONTENT),
        outside=contents(config, study.asked_region),
        trained=config.trained(context),
        **{**none, **config.content(context)},
        slices=study.slices.model_dump(),
        chosen_by=known_digest(context, by) if by and by != config.name else _held_choose(context),
        masks_by=known_digest(context, masks) if masks else None,
        of=[asking_inputs(context, one) for one in config.members(study)],
        tasks=study.tasks,
        consistency=again.model_dump() if again else None,
        learn=[[context.subjects[id].content for id in round.learn] for round in context.rounds],
        validation=_validation(context) if decided else None,
        test=[context.subjects[id].content for id in context.tested],
    )


def _held_choose(context: Context) -> list[str] | None:
    """Of the recorded answers that choose slices."""
    if context.study.slices.select != "external":
        return None
    return [external_digest(config.replayed) for config in context.study.models if config.replayed]


def _validation(context: Context) -> list[str]:
    return [context.subjects[id].content for round in context.rounds for id in round.validation]


def _check_trained(context: Context, config: ModelConfig) -> None:
    """Raise StageError for a model that is not trained yet, or with other settings or patients than the study's."""
    for one in config.learning(context):
        if context.done(one.stage, one.inputs, one.files, costly=True) is None:
            raise StageError(
                f"{one.stage.target} is not trained yet, or was with other settings or patients than the study has "
                f"now: run `gliobench {config.verb} --model {config.name}` first"
            )


def _models_and_questions(
    context: Context, config: ModelConfig
) -> Iterator[tuple[Model, list[Question], Round, Plane | None]]:
    """The model with its questions: once per round if it learns, once per plane if it is asked slice by slice; no plane
    where it is asked about whole patients."""
    model: Model | None = None
    for round in context.rounds:
        for plane in context.study.slices.planes:
            if model is None or config.built_each_round:
                model = config.build(context, round, plane)
            tasks = [task for task in context.study.tasks if task in model.tasks]
            if not model.per_slice:
                known = [task for task in tasks if context.study.on_validation(config, task)]
                asked = patient_questions(context, round.test, tasks)
                yield model, [*asked, *patient_questions(context, round.validation, known)], round, None
                break
            questions = list(slice_questions(context, round.test, tasks, plane, config.name))
            consistency = context.study.consistency
            first = plane == context.study.slices.planes[0]
            if consistency and first and consistency.task in tasks and config.samples(consistency.task):
                questions += [one for one in repeated_questions(context, consistency) if one.subject.id in round.test]
            known = [task for task in tasks if context.study.on_validation(config, task)]
            questions += slice_questions(context, round.validation, known, plane)
            yield model, questions, round, plane


def refuse_unfit(context: Context) -> None:
    """Raise StageError or ModelError where recorded answers do not fit the study's questions, as far as those are known
    before another model has chosen slices."""
    for config in context.study.models:
        if context.study.slices.by is None or not config.spoken_tasks:
            _fits(context, config)


def _fits(context: Context, config: ModelConfig) -> list[str]:
    """What there is to say of recorded answers; raises where they do not fit."""
    if not config.external:
        return []
    questions = [question for _, asked, *_ in _models_and_questions(context, config) for question in asked]
    return list(config.fit(context, questions))


def _ask_model(
    context: Context,
    config: ModelConfig,
    model: Model,
    questions: Sequence[Question],
    about: str = "",
    writer: str | None = None,
) -> list[str]:
    """Ask what has no answer yet; returns the keys of all questions in the order asked. `about`: a control. `writer`:
    whose file takes the answers."""
    name = config.name
    asked = f"{name}, {about}" if about else name
    keys = [question_key(name, model.settings, question) for question in questions]
    arrays = Arrays(context.folder.masks)
    with context.answers(name, writer) as store:
        if writer is None:
            store.gather()
        answered = store.records()
        # A server answers each question by itself, and always has as many under way as it may.
        in_blocks = config.asked_by_slice and config.runs_elsewhere is None
        numbers = block_numbers(questions) if in_blocks else [0] * len(questions)
        left = [one for one in zip(numbers, keys, questions, strict=True) if one[1] not in answered]
        by_block = [list(block) for _, block in groupby(sorted(left, key=itemgetter(0)), key=itemgetter(0))]
        to_ask = [(key, question) for block in by_block for _, key, question in block]
        if len(to_ask) < len(keys):
            context.voice.say(f"{asked}: {len(keys) - len(to_ask)} of {len(keys)} questions are cached")
        with context.voice.bar(f"ask {asked}", len(to_ask)) as advance:

            def keep(key: str, prediction: Prediction) -> None:
                oracles = _oracles(context, config, prediction.question)
                store.append(make_record(key, name, prediction, oracles, arrays, now()))

            predictions = chain.from_iterable(
                [model.predict([question for *_, question in block]) for block in by_block]
            )
            try:
                for done, ((key, _), prediction) in enumerate(zip(to_ask, predictions, strict=True), start=1):
                    keep(key, prediction)
                    advance(done, prediction.question.subject.id)
            except ModelStopped as stopped:
                for prediction in stopped.answered:
                    keep(question_key(name, model.settings, prediction.question), prediction)
                raise
            finally:
                if to_ask and isinstance(model, Charged):
                    context.voice.say(model.account())
    return keys


def _oracles(context: Context, config: ModelConfig, question: Question) -> tuple[str, ...]:
    """What the truth was used for when this question's input was made."""
    grid = ("grid",) if question.subject.oracle else ()
    slices = ("slices",) if question.frame is not None and context.study.slices.select in ("oracle", "external") else ()
    control = ("control",) if question.control and CONTROLS[question.control].oracle else ()
    return grid + slices + control + tuple(config.oracles(context.study))
