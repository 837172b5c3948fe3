"""Branches of a study (points of learning curves, further seeds): learnt, asked and scored, several at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TypeVar

from joblib import Parallel, delayed

from gliobench.models.base.errors import ModelError, ModelStopped
from gliobench.study.parts.stage import Further, Stage
from gliobench.study.stages.finetune import finetune
from gliobench.study.stages.predict import predict
from gliobench.study.stages.score import score
from gliobench.study.stages.train import train
from gliobench.study.state.branch import BranchContext
from gliobench.study.state.context import Context
from gliobench.study.state.progress import Silent

Branch = TypeVar("Branch", bound=BranchContext)
TEACH: dict[str, Callable[[Context, list[str]], None]] = {"train": train, "finetune": finetune}


def quiet(context: Context) -> Context:
    """The study without its voice and without what it has read, so that another process can be given it."""
    return replace(context, voice=Silent()) if context.workers > 1 else context


def reach_all(context: Context, branches: Sequence[Branch], verb: Further, title: str) -> list[Branch]:
    """The branches that were reached, several at a time; language models, which fill the memory, one after the other.
    Says which were not, and why."""
    reached, start = [], perf_counter()
    with context.voice.bar(title, len(branches)) as advance:
        for together in (False, True):
            group = [one for one in branches if (one.model.verb != "finetune") == together]
            jobs = min(context.workers, len(group)) if together else 1
            work = Parallel(n_jobs=max(1, jobs), return_as="generator")(map(delayed(reach), group))
            for one, fault in zip(group, work, strict=True):
                if fault is None:
                    reached.append(one)
                else:
                    context.voice.say(f"{title}, without {one.label}: {fault}")
                advance(branches.index(one) + 1, one.label)
    context.count(Stage(verb), perf_counter() - start)
    return reached


def reach(context: BranchContext) -> str | None:
    """Learn, ask and score a branch; why the model could not, else None."""
    names = [context.model.name]
    try:
        if context.model.verb:
            TEACH[context.model.verb](context, names)
        predict(context, names)
        score(context)
    except ModelStopped:
        raise
    except ModelError as error:
        return str(error)
    return None
