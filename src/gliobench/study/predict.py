"""Stage `predict`: every question of the study is put to every model; what was answered is never asked again."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from gliobench.integrity import file_digest, remove
from gliobench.models.errors import ModelStopped
from gliobench.models.prediction import Charged, Model, Prediction, Question
from gliobench.models.trained import DESCRIPTION
from gliobench.records.record import make_record, question_key
from gliobench.records.store import RecordStore
from gliobench.records.value import Arrays
from gliobench.study.answer_parts import ReplayModel, samples
from gliobench.study.answers import answers_digest, write_asked
from gliobench.study.build import BUILDERS, build_model, is_finetuned, network_folders
from gliobench.study.config import AnyModel, shown_the_truth
from gliobench.study.context import Context, Outputs, Round, StageError
from gliobench.study.finetune import finetuned_files, finetuned_folds, finetuning_inputs
from gliobench.study.folder import fingerprint
from gliobench.study.language_parts import LanguageModel, ServerModel, habit, learns_aggregate
from gliobench.study.network_parts import ClassicalModel, NetworkModel, NnUNetModel, TogetherModel, mask_model
from gliobench.study.nnunet import nnunet_files, nnunet_inputs
from gliobench.study.outside import BY_CONTENT, contents
from gliobench.study.questions import (
    patient_questions,
    repeated_questions,
    slice_questions,
    without_slices,
    without_truth,
)
from gliobench.study.region import region_notes
from gliobench.study.replayed import check_held, held_digest, replayed_model
from gliobench.study.train import trained_files, training_inputs
from gliobench.study.vision_parts import TRUTH, EncoderModel, SegmenterModel
from gliobench.tasks.reading import READING_VERSION

# Where a model runs, and what is made of its answers.
NOT_ASKED = {"log", "aggregate", *LanguageModel.OPERATION, *ServerModel.OPERATION}


def predict(context: Context, names: Collection[str] | None = None) -> None:
    """Ask the models of the study, or only those named, about the test patients."""
    parts = context.study.models
    if unknown := sorted(set(names or ()) - {part.name for part in parts}):
        raise StageError(f"no model is named {', '.join(unknown)}; the study has {', '.join(p.name for p in parts)}")
    for sentence in without_truth([context.subjects[id] for id in context.tested], context.study.tasks):
        context.voice.say(sentence)
    if context.study.slices.by is None:  # else they are known once another model has chosen them
        for sentence in without_slices(context):
            context.voice.say(sentence)
    for sentence in region_notes(context.study):
        context.voice.say(sentence)
    # Whose masks say where others look goes first, and of these who chooses slices; who is prompted with another's
    # answers goes last.
    by, looked_at = context.study.slices.by, {mask_model(part) for part in parts}

    def turn(part: AnyModel) -> tuple[bool, bool, bool]:
        return part.name != by, part.name not in looked_at, isinstance(part, SegmenterModel)

    for part in sorted(parts, key=turn):
        if names is None or part.name in names:
            _ask(context, part)


def _ask(context: Context, part: AnyModel) -> None:
    inputs = _inputs(context, part)
    with context.stage(f"predict-{part.name}", inputs, lambda: context.folder.question_lists(part.name)) as to_do:
        if not to_do:
            answers_digest(context, part.name)  # an answer that is damaged or gone is said here, not hours later
            return
        for one in (part, *_members(context, part)):
            _check_learnt(context, one)
        remove(context.folder.asked(part.name))
        if isinstance(part, ReplayModel):
            for sentence in _fits(context, part):
                context.voice.say(sentence)
        if isinstance(part, LanguageModel | ServerModel):
            for sentence in habit(part):
                context.voice.say(sentence)
        asked: list[str] = []
        repeated: list[str] = []
        deciding: list[str] = []
        for model, questions, round in _models_and_questions(context, part):
            keys = _ask_model(context, part, model, questions)
            for key, question in zip(keys, questions, strict=True):
                tested = question.subject.id in round.test
                (deciding if not tested else repeated if question.repeat else asked).append(key)
        write_asked(context, part.name, asked, repeated, deciding)


def _inputs(context: Context, part: AnyModel) -> str:
    """Fingerprint of everything that decides which questions are asked and what is answered."""
    study = context.study
    by, masks = study.slices.by, mask_model(part)
    return fingerprint(
        model=part.model_dump(exclude=NOT_ASKED | BY_CONTENT),
        outside=contents(part, study.asked_region),
        trained=_trained(context, part),
        reading=READING_VERSION if isinstance(part, LanguageModel | ServerModel | ReplayModel) else None,
        held=held_digest(part) if isinstance(part, ReplayModel) else None,
        slices=study.slices.model_dump(),
        chosen_by=_answers_digest(context, by) if by and by != part.name else None,
        prompted_by=_answers_digest(context, part.source) if isinstance(part, SegmenterModel) else None,
        masks_by=_answers_digest(context, masks) if masks else None,
        of=[_inputs(context, one) for one in _members(context, part)],
        tasks=study.tasks,
        consistency=study.consistency.model_dump()
        if study.consistency and samples(part, study.consistency.task)
        else None,
        learn=[[context.subjects[id].content for id in round.learn] for round in context.rounds],
        validation=_validation(context) if _avoids_validation(part) or learns_aggregate(part) else None,
        test=[context.subjects[id].content for id in context.tested],
    )


def _members(context: Context, part: AnyModel) -> list[AnyModel]:
    """The entries that answer together."""
    return [one for one in context.study.models if isinstance(part, TogetherModel) and one.name in part.of]


def _avoids_validation(part: AnyModel) -> bool:
    """Whether it learns from the training patients without those who decide."""
    shown = isinstance(part, LanguageModel | ServerModel) and part.shots > 0
    return shown or isinstance(part, ClassicalModel | EncoderModel)


def _validation(context: Context) -> list[str]:
    return [context.subjects[id].content for round in context.rounds for id in round.validation]


def _answers_digest(context: Context, model: str) -> str | None:
    return answers_digest(context, model) if context.folder.asked(model).exists() else None


def _trained(context: Context, part: AnyModel) -> list[str]:
    """Fingerprints of what the models that answer learn from, or of weights from elsewhere."""
    if isinstance(part, NetworkModel) and part.weights is not None:
        return [file_digest(folder / DESCRIPTION) for folder in network_folders(context, part, context.rounds[0])]
    return [inputs for _, inputs, _ in _learnt(context, part)]


def _learnt(context: Context, part: AnyModel) -> list[tuple[str, str, Outputs]]:
    """The stages in which an entry learns, one a fold, each with the fingerprint of its inputs and what it leaves."""
    verb, inputs, files = "train", {}, trained_files
    if is_finetuned(part):
        verb, files = "finetune", finetuned_files
        inputs = {n: finetuning_inputs(context, part, fold) for n, fold in finetuned_folds(context)}
    elif isinstance(part, NnUNetModel):
        inputs, files = {n: nnunet_inputs(context, part, fold) for n, fold in context.folds.items()}, nnunet_files
    elif isinstance(part, NetworkModel) and part.weights is None:
        inputs = {n: training_inputs(context, part, fold) for n, fold in context.folds.items()}
    return [
        (f"{verb}-{part.name}-fold-{n}", found, partial(files, context.folder.network(part.name, n)))
        for n, found in inputs.items()
    ]


def _check_learnt(context: Context, part: AnyModel) -> None:
    """Raise StageError where what answers was not learnt yet, or with other settings or patients than the study's."""
    for stage, inputs, files in _learnt(context, part):
        if context.done(stage, inputs, files, costly=True) is None:
            verb, _, rest = stage.partition("-")
            raise StageError(
                f"{rest} has not learnt yet, or with other settings or patients than the study has now: "
                f"run `gliobench {verb} --model {part.name}` first"
            )


def _models_and_questions(context: Context, part: AnyModel) -> Iterator[tuple[Model, list[Question], Round]]:
    """The model with its questions: one that learns once a round, a slice-by-slice model once a plane."""
    model: Model | None = None
    for round in context.rounds:
        for plane in context.study.slices.planes:
            if model is None or BUILDERS[part.kind].learns(part):
                model = build_model(context, part, round, plane)
            tasks = [task for task in context.study.tasks if task in model.tasks]
            if not model.per_slice:
                yield model, list(patient_questions(context, round.test, tasks)), round
                break
            questions = list(slice_questions(context, round.test, tasks, plane))
            consistency = context.study.consistency
            first = plane == context.study.slices.planes[0]
            if consistency and first and consistency.task in tasks and samples(part, consistency.task):
                questions += [one for one in repeated_questions(context, consistency) if one.subject.id in round.test]
            if learns_aggregate(part) and "grade" in tasks:
                questions += slice_questions(context, round.validation, ["grade"], plane)
            yield model, questions, round


def refuse_unfit(context: Context) -> None:
    """Raise StageError or ModelError where held answers do not fit the study's questions, as far as those are known
    before another model has chosen slices."""
    for part in context.study.models:
        if isinstance(part, ReplayModel) and (part.masks or context.study.slices.by is None):
            _fits(context, part)


def _fits(context: Context, part: ReplayModel) -> list[str]:
    """What there is to say of held answers; raises where they do not fit."""
    questions = [question for _, asked, _ in _models_and_questions(context, part) for question in asked]
    return list(check_held(part, replayed_model(part), questions))


def _ask_model(context: Context, part: AnyModel, model: Model, questions: Sequence[Question]) -> list[str]:
    """Ask what has no answer yet; returns the keys of all questions in the order asked."""
    name = part.name
    keys = [question_key(name, model.settings, question) for question in questions]
    arrays = Arrays(context.folder.masks)
    with RecordStore(context.folder.answers(name)) as store:
        answered = {record.key for record in store.read()}
        to_ask = [(key, question) for key, question in zip(keys, questions, strict=True) if key not in answered]
        if len(to_ask) < len(keys):
            context.voice.say(f"{name}: {len(keys) - len(to_ask)} of {len(keys)} questions are answered already")
        with context.voice.bar(f"ask {name}", len(to_ask)) as advance:

            def keep(key: str, prediction: Prediction) -> None:
                oracles = _oracles(context, part, prediction.question)
                store.append(make_record(key, name, prediction, oracles, arrays))

            predictions = model.predict([question for _, question in to_ask])
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


def _oracles(context: Context, part: AnyModel, question: Question) -> tuple[str, ...]:
    """What the truth was used for when this question's input was made."""
    grid = ("grid",) if question.subject.oracle else ()
    slices = ("slices",) if question.frame is not None and context.study.slices.select == "oracle" else ()
    region = ("region",) if shown_the_truth(context.study, part) else ()
    prompt = ("prompt",) if isinstance(part, SegmenterModel) and part.source == TRUTH else ()
    seen = ("slices",) if isinstance(part, EncoderModel) and part.select == "oracle" else ()
    return grid + slices + region + prompt + seen
