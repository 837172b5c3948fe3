"""Stage `predict`: every question of the study is put to every model; what was answered is never asked again."""

from collections.abc import Collection, Iterator, Sequence

from gliobench.models.errors import ModelStopped
from gliobench.models.prediction import Charged, Model, Prediction, Question
from gliobench.models.trained import DESCRIPTION
from gliobench.records.record import make_record, question_key
from gliobench.records.store import RecordStore
from gliobench.records.value import Arrays
from gliobench.study.answers import write_asked
from gliobench.study.build import BUILDERS, build_model, network_folders
from gliobench.study.config import (
    AnyModel,
    ClassicalModel,
    LanguageModel,
    NetworkModel,
    ServerModel,
    TogetherModel,
    mask_model,
    samples,
    shown_the_truth,
)
from gliobench.study.context import Context, StageError
from gliobench.study.folder import file_digest, fingerprint
from gliobench.study.questions import patient_questions, repeated_questions, slice_questions, without_truth
from gliobench.study.train import training_inputs


def predict(context: Context, names: Collection[str] | None = None) -> None:
    """Ask the models of the study, or only those named, about the test patients."""
    parts = context.study.models
    if unknown := sorted(set(names or ()) - {part.name for part in parts}):
        raise StageError(f"no model is named {', '.join(unknown)}; the study has {', '.join(p.name for p in parts)}")
    for sentence in without_truth([context.subjects[id] for id in context.tested], context.study.tasks):
        context.voice.say(sentence)
    # Whose masks say where others look goes first, and of these who chooses slices.
    looked_at = {mask_model(part) for part in parts}
    order = sorted(parts, key=lambda part: (part.name != context.study.slices.by, part.name not in looked_at))
    for part in order:
        if names is None or part.name in names:
            _ask(context, part)


def _ask(context: Context, part: AnyModel) -> None:
    inputs = _inputs(context, part)
    left = (context.folder.asked(part.name), context.folder.repeated(part.name))
    with context.stage(f"predict-{part.name}", inputs, done=all(path.exists() for path in left)) as to_do:
        if not to_do:
            return
        context.folder.asked(part.name).unlink(missing_ok=True)
        asked: list[str] = []
        repeated: list[str] = []
        for model, questions in _models_and_questions(context, part):
            keys = _ask_model(context, part, model, questions)
            for key, question in zip(keys, questions, strict=True):
                (repeated if question.repeat else asked).append(key)
        write_asked(context, part.name, asked, repeated)


def _inputs(context: Context, part: AnyModel) -> str:
    """Fingerprint of everything that decides which questions are asked and what is answered."""
    study = context.study
    by, masks = study.slices.by, mask_model(part)
    members = [one for one in study.models if isinstance(part, TogetherModel) and one.name in part.of]
    prompts = part.prompts if isinstance(part, LanguageModel | ServerModel) else None
    return fingerprint(
        model=part.model_dump(exclude={"batch_size", "log", *ServerModel.OPERATION}),
        prompts=file_digest(prompts) if prompts else None,
        trained=_trained(context, part) if isinstance(part, NetworkModel) else None,
        slices=study.slices.model_dump(),
        chosen_by=_asked_digest(context, by) if by and by != part.name else None,
        masks_by=_asked_digest(context, masks) if masks else None,
        of=[_inputs(context, one) for one in members],
        tasks=study.tasks,
        consistency=study.consistency.model_dump() if study.consistency and samples(part) else None,
        learn=[[context.subjects[id].content for id in round.learn] for round in context.rounds],
        calibrate=_validation(context) if isinstance(part, ClassicalModel) else None,
        test=[context.subjects[id].content for id in context.tested],
        grades=[subject.grade for subject in context.subjects.values()],
    )


def _validation(context: Context) -> list[str]:
    return [context.subjects[id].content for round in context.rounds for id in round.validation]


def _asked_digest(context: Context, model: str) -> str | None:
    path = context.folder.asked(model)
    return file_digest(path) if path.exists() else None


def _trained(context: Context, part: NetworkModel) -> list[str]:
    """Fingerprints of the networks that answer: of what they learn from, or of weights from elsewhere."""
    if part.weights is not None:
        return [file_digest(folder / DESCRIPTION) for folder in network_folders(context, part, context.rounds[0])]
    return [training_inputs(context, part, fold) for fold in context.folds.values()]


def _models_and_questions(context: Context, part: AnyModel) -> Iterator[tuple[Model, list[Question]]]:
    """The model with its questions: one that learns once a round, a slice-by-slice model once a plane."""
    model: Model | None = None
    for round in context.rounds:
        for plane in context.study.slices.planes:
            if model is None or BUILDERS[part.kind].learns:
                model = build_model(context, part, round, plane)
            tasks = [task for task in context.study.tasks if task in model.tasks]
            if not model.per_slice:
                yield model, list(patient_questions(context, round.test, tasks))
                break
            questions = list(slice_questions(context, round.test, tasks, plane))
            consistency = context.study.consistency
            if consistency and consistency.task in tasks and samples(part) and plane == context.study.slices.planes[0]:
                questions += [one for one in repeated_questions(context, consistency) if one.subject.id in round.test]
            yield model, questions


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
    return grid + slices + region
