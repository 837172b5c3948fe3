"""Stage `curve`: every model that learns is trained on fewer patients too, asked what the study asks, and scored.

Each point of a curve is a run folder of its own with its own stamps, so that it resumes as the study does.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.integrity import read_stamp, source_digest, write_whole
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.branches import quiet, reach_all
from gliobench.study.stages.curve_tables import curve_tables
from gliobench.study.stages.score import read_table, scores_inputs
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.curve import PointContext, at_points, curve_models, draws_of, points_of
from gliobench.study.state.folder import fingerprint

if TYPE_CHECKING:
    from gliobench.scoring.learning_curve import CurveTables

TABLES = {
    name: f"learning_curve{end}" for name, end in (("figures", ""), ("laws", "_laws"), ("crossings", "_crossings"))
}


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
    reached = reach_all(context, list(at_points(quiet(context), learning, points)), "curve", "learning curve")
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
