"""Stage `sensitivity`: language models are asked in other words and shown other views, and scored.

Each is a run folder of its own with its own stamps, so that it resumes as the study does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from gliobench.integrity import read_stamp, source_digest, write_whole
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.branches import quiet, reach_all
from gliobench.study.stages.curve_tables import by_plane, metrics_of, scale_of
from gliobench.study.stages.score import read_scores, read_table, scores_inputs
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.variants import VariantContext, varied_models, with_variants

if TYPE_CHECKING:
    from gliobench.scoring.learning_curve import Resamples
    from gliobench.scoring.metric import Metric
    from gliobench.scoring.seeds import VariedTables
    from gliobench.scoring.summary import Scores

SENSITIVITY = Stage("sensitivity")
TABLES = {"figures": "sensitivity", "values": "sensitivity_values"}
OWN = "own"  # the variant that the study itself has
Named = Mapping[str, "Scores"]  # by variant, the study's own first


def sensitivity(context: Context) -> None:
    """Ask and score with every variant, and leave the tables. Does nothing where the study file asks for none. Raises
    StageError where no model can be asked otherwise, and before `score`."""
    if context.study.sensitivity is None:
        return
    models, left = varied_models(context.study)
    for sentence in left:
        context.voice.say(sentence)
    if not models:
        raise StageError(f"{context.study.place('sensitivity')}: no model here is asked in words that could vary")
    scored = scores_inputs(context)
    reached = reach_all(context, list(with_variants(quiet(context), models)), "sensitivity", "sensitivity")
    inputs = _inputs(scored, reached)
    with context.stage(SENSITIVITY, inputs, lambda: [_path(context, name) for name in TABLES]) as to_do:
        if to_do:
            for name, table in vars(_tables(context, reached)).items():
                write_whole(_path(context, name), table.to_parquet())


def sensitivity_inputs(context: Context) -> str:
    """Fingerprint of what decides the tables, by the variants that have been reached so far."""
    return _inputs(scores_inputs(context), with_variants(context, varied_models(context.study)[0]))


def sensitivity_digest(context: Context) -> str | None:
    """Fingerprint of the tables; None where there are none."""
    stamp = read_stamp(context.folder.stamp(SENSITIVITY)) if context.study.sensitivity else None
    return stamp.inputs if stamp else None


def read_sensitivity(context: Context) -> "VariedTables | None":
    """The tables that `sensitivity` left; None where the study file asks for none. Raises StageError without them."""
    from gliobench.scoring.seeds import VariedTables

    if context.study.sensitivity is None:
        return None
    return VariedTables(**{name: read_table(context, file, SENSITIVITY) for name, file in TABLES.items()})


def _inputs(scored: str, reached: Iterable[VariantContext]) -> str:
    stamps = {one.label: read_stamp(one.folder.stamp(Stage("score"))) for one in reached}
    return fingerprint(
        scores=scored,
        code=source_digest("gliobench.study.stages.sensitivity", "gliobench.study.stages.curve_tables"),
        variants={label: stamp.inputs for label, stamp in stamps.items() if stamp},
    )


def _path(context: Context, name: str) -> Path:
    return context.folder.scores / f"{TABLES[name]}.parquet"


def _tables(context: Context, reached: Sequence[VariantContext]) -> "VariedTables":
    import pandas as pd

    from gliobench.scoring.learning_curve import Resamples
    from gliobench.scoring.seeds import VALUES, VARIED, VariedTables

    patients = sorted({context.patients[id] for id in context.tested})
    whole, resamples = read_scores(context), Resamples(len(patients))
    scores: dict[tuple[str, str], dict[str, Scores]] = {}
    for one in reached:
        scores.setdefault((one.variant.key, one.model.name), {OWN: whole})[one.variant.name] = read_scores(one)
    figures, values = list[Any](), list[Any]()
    for task, metric in metrics_of(context):
        for (key, name), by_variant in scores.items():
            found = _rows(task, metric, name, by_variant, patients, resamples)
            for head, figure, own in found:
                figures.append((*head, key, *figure))
                values += [(*head, key, variant, value) for variant, value in own.items()]
    columns = [one for one in VALUES if one not in ("rank", "models")]
    return VariedTables(
        pd.DataFrame(figures, columns=list(VARIED)),
        _ranked(pd.DataFrame(values, columns=columns), dict(_directions(context)))[list(VALUES)],
    )


def _rows(
    task: str,
    metric: "Metric",
    name: str,
    scores: Named,
    patients: Sequence[str],
    resamples: "Resamples",
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...], Mapping[str, float]]]:
    """By plane: what a row is of, its figures, and the value with each variant."""
    from gliobench.scoring.seeds import seed_figure

    for plane, measured in by_plane(list(scores.values()), name, task, metric, patients).items():
        found = seed_figure(measured, resamples, scale_of(metric))
        intervals = (*astuple(found.whole), found.patients.low, found.patients.high)
        spread = (median(found.values), min(found.values), max(found.values))
        figures = (len(measured), *intervals, *spread)
        yield (task, metric.id, name, plane), figures, dict(zip(scores, found.values, strict=True))


def _directions(context: Context) -> Iterator[tuple[str, bool]]:
    return ((metric.id, metric.lower_is_better) for _, metric in metrics_of(context))


def _ranked(values: Any, lower_is_better: Mapping[str, bool]) -> Any:
    """The table with each model's rank among those with the same variant."""
    ranks, alike = values["value"].copy(), ["task", "metric", "plane", "varied", "variant"]
    for (_, metric, *_), own in values.groupby(alike, sort=False):
        ranks[own.index] = own["value"].rank(method="min", ascending=lower_is_better[metric])
    return values.assign(rank=ranks, models=values.groupby(alike)["model"].transform("size"))
