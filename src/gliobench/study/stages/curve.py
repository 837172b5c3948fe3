"""Stage `curve`: every model that learns is trained on fewer patients too, asked what the study asks, and scored.

Each point of a curve is a run folder of its own with its own stamps, so that it resumes as the study does.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from joblib import Parallel, delayed

from gliobench.integrity import read_stamp, source_digest, write_whole
from gliobench.models.base.errors import ModelError, ModelStopped
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.curve_tables import curve_tables
from gliobench.study.stages.finetune import finetune
from gliobench.study.stages.predict import predict
from gliobench.study.stages.score import read_table, score, scores_inputs
from gliobench.study.stages.train import train
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.curve import PointContext, at_points, curve_models, draws_of, points_of
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.progress import Silent

if TYPE_CHECKING:
    from gliobench.scoring.learning_curve import CurveTables

TABLES = {
    name: f"learning_curve{end}" for name, end in (("figures", ""), ("laws", "_laws"), ("crossings", "_crossings"))
}
TEACH: dict[str, Callable[[Context, list[str]], None]] = {"train": train, "finetune": finetune}


def curve(context: Context) -> None:
    """Learn, ask and score at every point, and leave the tables of the curves. Does nothing where the study file asks
    for no learning curve. Raises StageError where it leaves no point, and before `score`."""
    if context.study.learning_curve is None:
        return
    points, left = points_of(context.study, context.folds, draws_of(context))
    learning, general, without = curve_models(context.study)
    for sentence in (*left, *without):
        context.voice.say(sentence)
    if not points or not learning:
        raise StageError(
            f"{context.study.place('learning_curve')}: there is no {'size' if learning else 'model that learns'} to "
            f"draw a curve of{': ' + '; '.join(left) if left else ''}"
        )
    scored = scores_inputs(context)
    reached = _learn(context, list(at_points(_quiet(context), learning, points)))
    inputs = _inputs(scored, learning, general, reached)
    with context.stage(Stage("curve"), inputs, lambda: [_path(context, name) for name in TABLES]) as to_do:
        if to_do:
            for name, table in vars(curve_tables(context, reached, general)).items():
                write_whole(_path(context, name), table.to_parquet())


def curve_inputs(context: Context) -> str:
    """Fingerprint of what decides the tables of the curves, by the points that have been reached so far."""
    points, _ = points_of(context.study, context.folds, draws_of(context))
    learning, general, _ = curve_models(context.study)
    return _inputs(scores_inputs(context), learning, general, at_points(context, learning, points))


def _inputs(
    scored: str, learning: Sequence[ModelConfig], general: Sequence[ModelConfig], reached: Iterable[PointContext]
) -> str:
    stamps = {str(one.folder.root): read_stamp(one.folder.stamp(Stage("score"))) for one in reached}
    return fingerprint(
        scores=scored,
        code=source_digest("gliobench.study.stages.curve_tables"),
        models=[[config.name for config in group] for group in (learning, general)],
        points={root: stamp.inputs for root, stamp in stamps.items() if stamp},
    )


def read_curve(context: Context) -> "CurveTables | None":
    """The tables that `curve` left; None where the study file asks for no learning curve. Raises StageError where
    there are none."""
    from gliobench.scoring.learning_curve import CurveTables

    if context.study.learning_curve is None:
        return None
    return CurveTables(**{name: read_table(context, file, Stage("curve")) for name, file in TABLES.items()})


def curve_digest(context: Context) -> str | None:
    """Fingerprint of the tables of the learning curves; None where there are none."""
    stamp = read_stamp(context.folder.stamp(Stage("curve"))) if context.study.learning_curve else None
    return stamp.inputs if stamp else None


def _path(context: Context, name: str) -> Path:
    return context.folder.scores / f"{TABLES[name]}.parquet"


def _quiet(context: Context) -> Context:
    """The study without its voice and without what it has read, so that another process can be given it."""
    return replace(context, voice=Silent()) if context.workers > 1 else context


def _learn(context: Context, points: Sequence[PointContext]) -> list[PointContext]:
    """Points that were reached, several at a time; language models, which fill the memory, one after the other."""
    reached = []
    with context.voice.bar("learning curve", len(points)) as advance:
        for together in (False, True):
            group = [one for one in points if (one.model.verb != "finetune") == together]
            jobs = min(context.workers, len(group)) if together else 1
            work = Parallel(n_jobs=max(1, jobs), return_as="generator")(map(delayed(reach), group))
            for one, fault in zip(group, work, strict=True):
                if fault is None:
                    reached.append(one)
                else:
                    context.voice.say(f"learning curve, without {one.model.name} at {one.point}: {fault}")
                advance(points.index(one) + 1, f"{one.model.name}, {one.point.size} patients")
    return reached


def reach(context: PointContext) -> str | None:
    """Learn, ask and score at one point; why the model could not, else None."""
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
