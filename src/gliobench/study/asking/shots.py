"""Few-shot: which slices with their true answers a language model is shown before it is asked."""

from collections.abc import Sequence

import numpy as np

from gliobench.grid.frame import INDEX_AXIS, Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import Shot
from gliobench.study.asking.questions import can_be_asked, in_turn, largest_slice, true_answer
from gliobench.study.kinds.openai import ServerConfig
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.state.context import Context, Round, StageError
from gliobench.tasks.registry import TASKS


def reference_shots(
    context: Context, config: LanguageModelConfig | ServerConfig, round: Round, plane: Plane
) -> dict[str, list[Shot]]:
    """By task, `part.shots` slices of as many training patients of the round, none of whom decides or is tested.

    Patients in an order drawn by the split's seed, so that every model of a study is shown the same, their grades in
    turn; of each the slice of the plane with most of what the task asks about. Raises StageError where there are too
    few.
    """
    if config.shots == 0:
        return {}
    learn = [context.subjects[id] for id in round.learn if id not in round.validation]
    tasks = [task for task in context.study.tasks if task in config.tasks]
    return {task: [_shot(subject, task, plane) for subject in _choose(context, config, learn, task)] for task in tasks}


def _choose(
    context: Context, config: LanguageModelConfig | ServerConfig, learn: Sequence[PreparedSubject], task: str
) -> list[PreparedSubject]:
    asked_of = TASKS[task].asked_of
    usable = [one for one in learn if one.labels is not None and asked_of(one).tumour.any() and can_be_asked(one, task)]
    if len(usable) < config.shots:
        raise StageError(
            f"{config.name}: shots: {config.shots} for the task {task}, but only {len(usable)} training patients have "
            f"a truth for it and a mask with {context.study.problem.finding_words} in it"
        )
    order = np.random.default_rng(context.study.split.seed).permutation(len(usable))
    return in_turn([usable[place] for place in order])[: config.shots]


def _shot(subject: PreparedSubject, task: str, plane: Plane) -> Shot:
    asked = TASKS[task].asked_of(subject)
    frame = subject.frame(plane, largest_slice(asked, plane, range(subject.shape[INDEX_AXIS[plane]])))
    return Shot(Question(subject, task, frame), true_answer(subject, task, frame))
