"""Stage `seeds`: every model that a seed changes is trained and asked with further seeds, and scored.

Each seed is a run folder of its own with its own stamps, so that it resumes as the study does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliobench.integrity import read_stamp, source_digest, write_whole
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.branches import quiet, reach_all
from gliobench.study.stages.curve_tables import VOLUME, by_plane, metrics_of, scale_of
from gliobench.study.stages.score import read_planned, read_scores, read_table, scores_inputs
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.seeds import SeedContext, seeded_models, with_seeds

if TYPE_CHECKING:
    from gliobench.scoring.learning_curve import Resamples
    from gliobench.scoring.metric import Metric
    from gliobench.scoring.seeds import SeedTables
    from gliobench.scoring.summary import Scores

SEEDS = Stage("seeds")
TABLES = {"figures": "seeds", "differences": "seeds_comparisons"}


def seeds(context: Context) -> None:
    """Learn, ask and score with every further seed, and leave the tables. Does nothing where the study file names no
    `seeds`. Raises StageError where no seed changes any model, and before `score`."""
    if context.study.seeds is None:
        return
    models, left = seeded_models(context.study)
    for sentence in left:
        context.voice.say(sentence)
    if not models:
        raise StageError(f"{context.study.place('seeds')}: no model here draws anything that a seed would change")
    scored = scores_inputs(context)
    reached = reach_all(context, list(with_seeds(quiet(context), models)), "seeds", "seeds")
    with context.stage(SEEDS, _inputs(scored, reached), lambda: [_path(context, name) for name in TABLES]) as to_do:
        if to_do:
            for name, table in vars(_tables(context, reached)).items():
                write_whole(_path(context, name), table.to_parquet())


def seeds_inputs(context: Context) -> str:
    """Fingerprint of what decides the tables, by the seeds that have been reached so far."""
    return _inputs(scores_inputs(context), with_seeds(context, seeded_models(context.study)[0]))


def seeds_digest(context: Context) -> str | None:
    """Fingerprint of the tables; None where there are none."""
    stamp = read_stamp(context.folder.stamp(SEEDS)) if context.study.seeds else None
    return stamp.inputs if stamp else None


def read_seeds(context: Context) -> "SeedTables | None":
    """The tables that `seeds` left; None where the study file names no `seeds`. Raises StageError without them."""
    from gliobench.scoring.seeds import SeedTables

    if context.study.seeds is None:
        return None
    return SeedTables(**{name: read_table(context, file, SEEDS) for name, file in TABLES.items()})


def _inputs(scored: str, reached: Iterable[SeedContext]) -> str:
    stamps = {one.label: read_stamp(one.folder.stamp(Stage("score"))) for one in reached}
    return fingerprint(
        scores=scored,
        code=source_digest("gliobench.study.stages.seeds", "gliobench.study.stages.curve_tables"),
        seeds={label: stamp.inputs for label, stamp in stamps.items() if stamp},
    )


def _path(context: Context, name: str) -> Path:
    return context.folder.scores / f"{TABLES[name]}.parquet"


def _tables(context: Context, reached: Sequence[SeedContext]) -> "SeedTables":
    import pandas as pd

    from gliobench.scoring.learning_curve import Resamples
    from gliobench.scoring.seeds import DIFFERENCES, FIGURES, SeedTables

    patients = sorted({context.patients[id] for id in context.tested})
    scores: dict[str, list[Scores]] = {}
    whole = read_scores(context)
    for one in reached:
        scores.setdefault(one.model.name, [whole]).append(read_scores(one))
    resamples = Resamples(len(patients))
    metrics = list(metrics_of(context))
    return SeedTables(
        pd.DataFrame(_figures(scores, metrics, patients, resamples), columns=list(FIGURES)),
        pd.DataFrame(_differences(context, scores, whole, patients, resamples), columns=list(DIFFERENCES)),
    )


def _figures(
    scores: Mapping[str, Sequence["Scores"]],
    metrics: Sequence[tuple[str, "Metric"]],
    patients: Sequence[str],
    resamples: "Resamples",
) -> Iterator[tuple[Any, ...]]:
    from gliobench.scoring.seeds import seed_figure

    for task, metric in metrics:
        for name, own in scores.items():
            for plane, by_seed in by_plane(own, name, task, metric, patients).items():
                found = seed_figure(by_seed, resamples, scale_of(metric))
                intervals = (*astuple(found.whole), found.patients.low, found.patients.high)
                spread = (found.sd, min(found.values), max(found.values))
                yield (task, metric.id, name, plane, len(by_seed), *intervals, *spread)


def _differences(
    context: Context,
    scores: Mapping[str, Sequence["Scores"]],
    whole: "Scores",
    patients: Sequence[str],
    resamples: "Resamples",
) -> Iterator[tuple[Any, ...]]:
    """The planned comparisons of models of which one at least has several seeds."""
    from gliobench.scoring.registry import named
    from gliobench.scoring.seeds import seed_difference

    planned = read_planned(context).comparisons
    keys = planned[["task", "metric", "model_a", "model_b", "plane"]].astype(str)
    for task, metric_id, one, other, plane in keys.itertuples(index=False, name=None):
        if one not in scores and other not in scores:
            continue
        metric = named(metric_id)
        a, b = (by_plane(scores.get(name, [whole]), name, task, metric, patients) for name in (one, other))
        if (left := a.get(plane) or a.get(VOLUME)) and (right := b.get(plane) or b.get(VOLUME)):
            found = seed_difference(left, right, resamples)
            agreement = (found.above, found.below)
            yield (task, metric_id, one, other, plane, found.pairs, *astuple(found.whole), *agreement)
