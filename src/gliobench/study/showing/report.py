"""Stage `report`: tables, curves, pictures and provenance into one page."""

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliobench.cohort.sources import SOURCE
from gliobench.integrity import DamagedError, left_in, read_json, read_stamp, source_digest, write_json
from gliobench.scoring.human import AGAINST, READERS
from gliobench.study.asking.aggregate import aggregation_notes
from gliobench.study.asking.consistency import sampling
from gliobench.study.asking.controls import control_notes
from gliobench.study.asking.conventions import suspicions
from gliobench.study.asking.oracles import marks, oracles
from gliobench.study.asking.questions import without_slices, without_truth
from gliobench.study.asking.region import answer_for_the_whole, region_notes
from gliobench.study.asking.served import changed_models, dates
from gliobench.study.parts.neutral import json_words, option_words
from gliobench.study.parts.stage import Stage
from gliobench.study.showing.comparisons import comparisons
from gliobench.study.showing.costs import costs
from gliobench.study.showing.environment import ENVIRONMENT, environment
from gliobench.study.showing.facts import facts
from gliobench.study.showing.facts.run import Run
from gliobench.study.showing.flow import flow
from gliobench.study.showing.gallery import gallery
from gliobench.study.showing.outlines import outlines
from gliobench.study.showing.pretrained import pretrained
from gliobench.study.showing.samples import report_samples
from gliobench.study.showing.sources import source_cautions, source_notes
from gliobench.study.showing.subgroups import grouped, subgroups
from gliobench.study.showing.tuned import tuned_settings
from gliobench.study.stages.curve import curve_digest, read_curve
from gliobench.study.stages.finetune import CHECKS, CURVES, LOSSES
from gliobench.study.stages.in_sample import FIGURES
from gliobench.study.stages.score import (
    read_consistency,
    read_controls,
    read_decision,
    read_planned,
    read_scores,
    scores_inputs,
)
from gliobench.study.stages.seeds import read_seeds, seeds_digest
from gliobench.study.stages.sensitivity import read_sensitivity, sensitivity_digest
from gliobench.study.stages.split import class_warnings
from gliobench.study.stages.sweeps import sweep_curves, sweep_settings
from gliobench.study.state.context import Context, StageError, read_prepared, read_stage
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.seeds import seeded_models
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.report.contents import Fitted, Part, ReportContents
    from gliobench.scoring.summary import Scores

VERDICT = {"passed", "check", "found"}
PACKAGES = ("gliobench", "torch", "transformers", "monai", "lightning", "numpy", "scipy", "scikit-image")


def report(context: Context) -> Path:
    """Write the report of what was scored, and what it was written with; returns the path of the page."""
    from gliobench.report.page import write_report

    page = context.folder.report / "report.html"
    with context.stage(Stage("report"), report_inputs(context), lambda: left_in(context.folder.report)) as to_do:
        if not to_do:
            return page
        found = report_contents(context)
        written = write_report(replace(found, facts=facts(Run(context, found))), context.folder.report)
        write_json(context.folder.report / ENVIRONMENT, environment())
        return written


def report_inputs(context: Context) -> str:
    """Fingerprint of everything that decides what a report says. Raises StageError before `predict`."""
    return fingerprint(
        **{f"subgroups by {name}": values for name, values in grouped(context).items()},
        scores=scores_inputs(context),
        study=context.study.model_dump(mode="json"),
        left_out=context.left_out,
        notes=context.cohort_notes,
        sources={id: one.variables.get(SOURCE) for id, one in context.subjects.items()},
        split=context.split.checksum,
        version=version("gliobench"),
        code=source_digest("gliobench.report", "gliobench.study.showing"),
        **({"curve": curve_digest(context)} if context.study.learning_curve else {}),
        **({"seeds": seeds_digest(context)} if context.study.seeds else {}),
        **({"sensitivity": sensitivity_digest(context)} if context.study.sensitivity else {}),
    )


def report_contents(context: Context) -> "ReportContents":
    """All that the report shows of what was scored. Raises StageError before `score`."""
    from gliobench.report.contents import ReportContents

    scores = read_scores(context)
    left = read_prepared(context.folder)
    hard, folds = _strata(context, scores)
    planned = read_planned(context)
    figures, gaps = subgroups(context, scores) or (None, None)
    return ReportContents(
        title=f"{context.study.name}{_of_region(context)}: language model, network or neither?",
        study=context.study.name,
        cohort=f"{left['cohort']} ({left['layout']})",
        parts=list(_parts(context)),
        summary=scores.summary,
        by_shape=hard,
        by_fold=folds,
        subgroups=figures,
        gaps=gaps,
        comparisons=comparisons(scores, context.study.models),
        planned=planned.comparisons,
        choices=planned.choices,
        costs=costs(context, {*planned.comparisons["model_a"], *planned.comparisons["model_b"]}),
        prices=context.study.prices.words if context.study.prices else "",
        per_subject=scores.per_subject,
        decision=read_decision(context),
        votes=scores.votes,
        samples=list(report_samples(context, scores.votes)),
        baselines=frozenset(config.name for config in context.study.models if config.trivial),
        curves=_curves(context),
        losses=_left_by_learning(context, LOSSES),
        fitted=list(_fitted(context)),
        settings=[*sweep_settings(context, scores.summary), *tuned_settings(context, scores.summary)],
        checks=_checks(context),
        consistency=read_consistency(context),
        sampling=sampling(context),
        controls=read_controls(context),
        checkpoints=list(pretrained(context)),
        learning=read_curve(context),
        seeds=read_seeds(context),
        sensitivity=read_sensitivity(context),
        gallery=(items := gallery(context)),
        outlines=outlines(context, [item.subject for item in items]),
        faults=context.left_out,
        provenance=_provenance(context),
        oracles=list(oracles(context.study)),
        cautions=list(source_cautions(context)),
        notes=[*_notes(context), *source_notes(context), *without_spread(scores.summary)],
        marks=answer_for_the_whole(context.study) | marks(context.study) | {READERS: AGAINST},
        references=frozenset({READERS}),
        flow=flow(context),
        region=context.study.asked_region.title,
        problem=context.study.problem,
    )


def _of_region(context: Context) -> str:
    region = context.study.asked_region
    return "" if region.whole else f", {region.title}"


def _strata(context: Context, scores: "Scores") -> tuple["pd.DataFrame | None", "pd.DataFrame | None"]:
    """Dice of masks among hard patients, and fold by fold where several folds are tested; of each model the nearest
    task that it answered. A patient with several scans has the shape of its largest tumour."""
    from gliobench.report.metrics import nearest
    from gliobench.scoring.strata import Shape, by_fold, by_shape, shape_of

    dice = nearest(scores.per_subject, MASK.name, "dice")
    dice = dice[dice["plane"] == "volume"]
    shapes: dict[str, Shape] = {}
    for name in dict.fromkeys(dice["subject"]):  # a scan, or a patient with several
        scans = [context.subjects[id] for id in context.tested if name in (id, context.patients[id])]
        found = [shape_of(scan.tumour, scan.spacing_mm) for scan in scans if scan.tumour.any()]
        if found:
            shapes[name] = max(found, key=lambda shape: shape.volume_ml)
    dice = dice[dice["subject"].isin(list(shapes))]
    if not shapes:
        return None, None
    tested = {n: [*one.test, *(context.patients[id] for id in one.test)] for one in context.rounds for n in one.folds}
    return by_shape(dice, shapes), by_fold(dice, tested) if len(context.rounds) > 1 else None


def _parts(context: Context) -> Iterator["Part"]:
    from gliobench.report.contents import Part

    several = len(context.folds) > 1
    parts = {
        f"fold {number}, {name}" if several else name: ids
        for number, fold in context.folds.items()
        for name, ids in (("training", fold.train), ("validation", fold.validation))
    }
    for name, ids in {**parts, "test": context.tested}.items():
        highest: dict[str, int] = {}
        for patient, grade in ((context.patients[id], context.subjects[id].grade) for id in ids):
            highest[patient] = max(highest.get(patient, -1), -1 if grade is None else grade)
        grades = list(highest.values())
        yield Part(name, len(grades), tuple(map(grades.count, range(context.study.problem.count))))


def _left_by_learning(context: Context, file: str) -> Mapping[str, "pd.DataFrame"]:
    """A table that models left while they learnt, by model and fold, where it is there."""
    tables = {}
    for config, number in product(context.study.models, context.folds):
        path = context.folder.network(config.name, number) / file
        if config.verb and path.is_file():
            checked = context.check(path, Stage(config.verb, config.name, number))
            tables[f"{config.name}, fold {number}"] = _read_curves(checked)
    return tables


def _curves(context: Context) -> Mapping[str, "pd.DataFrame"]:
    """The curves of every training, those of all settings of a sweep among them."""
    swept = {name: _read_curves(context.check(path, stage)) for name, path, stage in sweep_curves(context)}
    return {**_left_by_learning(context, CURVES), **swept}


def _fitted(context: Context) -> Iterator["Fitted"]:
    """What networks that were trained here are worth on patients that they know; an earlier version's left none."""
    from gliobench.report.contents import Fitted

    for config, number in product(context.study.models, context.folds):
        path = context.folder.network(config.name, number) / FIGURES
        if config.verb == "train" and path.is_file():
            left = read_stage(path, "train", "task", "figures")
            figures = {
                name: {metric: (_number(one["value"]), one["n"]) for metric, one in found.items()}
                for name, found in left["figures"].items()
            }
            yield Fitted(config.name, number, left["task"], figures)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _read_curves(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        return pd.read_csv(path)
    except ValueError as error:  # an earlier version's, without a checksum
        raise StageError(f"{path} is damaged ({error}): delete it, and the report goes without it") from error


def _checks(context: Context) -> dict[str, list[str]]:
    """The verdicts that a fine-tuning ended with, by model and fold."""
    found = {}
    for config, number in product(context.study.models, context.folds):
        path = context.folder.network(config.name, number) / CHECKS
        if config.verb and path.exists():
            verdicts = read_verdicts(context.check(path, Stage("finetune", config.name, number)))
            found[f"{config.name}, fold {number}"] = [
                f"{'PASS' if one['passed'] else 'FAIL'} {one['check']}: {one['found']}" for one in verdicts
            ]
    return found


def read_verdicts(path: Path) -> list[dict[str, Any]]:
    """What a fine-tuning checked; an earlier version's file is the plain list of it."""
    with suppress(ValueError):
        content = json.loads(path.read_bytes())
        if isinstance(content, list) and all(isinstance(one, dict) and one.keys() >= VERDICT for one in content):
            return content
    found: list[dict[str, Any]] = read_stage(path, "finetune", "checks")["checks"]
    return found


def _notes(context: Context) -> Iterator[str]:
    yield from region_notes(context.study)
    yield from control_notes(context)
    if context.study.seeds:
        yield from (f"{sentence[0].upper()}{sentence[1:]}." for sentence in seeded_models(context.study)[1])
    if all(id.startswith("Phantom") for id in context.subjects):
        yield "These patients are phantoms made by gliobench: the figures say nothing about real patients."
    grades = {id: subject.grade for id, subject in context.subjects.items()}
    yield from class_warnings(context.split, tuple(context.folds), grades, context.study.problem)
    if context.split.crossed:
        yield "Cross-validation: every test patient was answered by models trained only on the other folds."
    elif len(context.folds) > 1:
        count = len(context.folds)
        yield f"Each network stands for {count}, one per fold, whose probabilities are averaged."
    if _lacks_classical(context):
        asked = context.study.problem.asked.capitalize()
        yield f"{asked} networks are compared with no classical baseline, which is hard to beat: add `kind: classical`."
    for config in context.study.models:
        if config.masks_by:
            where = f"{config.name} looks where {config.masks_by} found the {context.study.problem.finding_words}"
            yield f"{where}, always predicted by a model that was not trained on the patient."
    yield from suspicions(context)
    yield from changed_models(context)
    yield from context.cohort_notes
    yield from without_slices(context)
    yield from without_truth([context.subjects[id] for id in context.tested], context.study.tasks)
    for config in context.study.models:
        yield from config.notes()
        yield from config.warnings(context)
    yield from _not_calibrated(context)
    yield from aggregation_notes(context)
    if (problem := context.study.problem).classes:
        yield (
            f"Unless stated otherwise, a patient's {problem.asked} is the majority of its slices: "
            f"{', '.join(problem.classes)}, {problem.no_target} or unanswered; a tie goes to the first."
        )


def _not_calibrated(context: Context) -> Iterator[str]:
    """A sentence on each grade network whose validation patients gave no operating point."""
    from gliobench.models.networks.description import DESCRIPTION

    for config, number in product(context.study.models, context.folds):
        path = context.folder.network(config.name, number) / DESCRIPTION
        if config.verb == "train" and path.is_file() and (why := read_json(path).get("not_calibrated")):
            problem = context.study.problem
            called = f", and {problem.classes[problem.positive_class]} is called from one half on"
            yield (
                f"{config.name}, fold {number}: its probabilities are not calibrated"
                f"{'' if problem.several else called}, because of its validation patients: {why}."
            )


def without_spread(summary: "pd.DataFrame") -> Iterator[str]:
    """A sentence on each model whose probabilities tell nobody apart."""
    from gliobench.scoring.calibration import NO_SPREAD

    slopes = summary[summary["metric"] == "calibration_slope"]
    for row in slopes[slopes["reason"] == NO_SPREAD].itertuples():
        yield (
            f"{row.model}, {row.plane}: {NO_SPREAD}, so that it does not tell one patient from another, and its "
            "calibration slope is not defined."
        )


def _lacks_classical(context: Context) -> bool:
    """Whether grade networks are compared with no classical baseline."""
    models = context.study.models
    wanted = GRADE.name in context.study.tasks and any(config.wants_classical for config in models)
    return wanted and not any(config.classical for config in models)


def _provenance(context: Context) -> dict[str, str]:
    grid, split, problem = context.study.grid, context.split, context.study.problem
    return {
        "packages": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "grid": f"{option_words(grid.preset, problem)}, {' x '.join(map(str, grid.shape))}",
        "answers": ", ".join(dates(context)),
        "slices": json_words(context.study.slices.model_dump(mode="json", exclude_none=True), problem),
        "split": f"folds {', '.join(map(str, context.folds))} of {len(split.folds)}, {split.source}, "
        f"seed {split.seed}, "
        f"checksum {split.checksum}",
        "seconds": ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in _seconds(context)),
        "study": json_words(context.study.model_dump(mode="json", exclude_none=True), problem),
    }


def _seconds(context: Context) -> Iterator[tuple[str, float]]:
    """Each stage with how long it took when it was last done."""
    for path in sorted(context.folder.stamps.glob("*.json"), key=lambda path: path.lstat().st_mtime_ns):
        with suppress(DamagedError):  # its stage is done again, and says so
            if stamp := read_stamp(path):
                yield path.stem, stamp.seconds
