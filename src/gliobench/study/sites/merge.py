"""Several exports as one study: pooled figures, comparisons paired by patient, a row per site, and one report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gliobench.cohort.subject import Fault
from gliobench.grid.regions import WHOLE_KEY
from gliobench.integrity import write_whole
from gliobench.replay.tables import write_scores
from gliobench.report.contents import Part, ReportContents
from gliobench.report.metrics import metrics_of, nearest, tasks_of
from gliobench.report.page import write_report
from gliobench.scoring.decision_curve import decision_curves
from gliobench.scoring.human import AGAINST, READERS
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.pool import classes_of, pool
from gliobench.scoring.registry import grade_metrics
from gliobench.scoring.subgroups import SUBGROUPS
from gliobench.scoring.summary import Scores
from gliobench.study.showing.comparisons import comparisons
from gliobench.study.sites.compatible import check_together, common_models, left_out_models, split_notes
from gliobench.study.sites.package import Export, MergeError, read_package
from gliobench.study.sites.patients import check_patients
from gliobench.study.state.context import check_writable

ALL = "all sites"
BY_SITE = "summary_by_site.csv"
KEY = ["model", "task", "source", "plane", "metric"]


def merge_exports(paths: Sequence[Path], names: Sequence[str], out: Path) -> Path:
    """Merge the exports of sites of these names; writes tables and report into `out` and returns the page. Raises as
    `merged` does."""
    check_writable("--out", out)
    exports = {name: read_package(path) for name, path in zip(names, paths, strict=True)}
    contents = merged(exports)
    write_scores(Scores(contents.per_subject, contents.summary, contents.votes), out)
    page = write_report(contents, out / "report")
    summaries = {ALL: contents.summary, **{site: export.scores.summary for site, export in exports.items()}}
    own = pd.concat([summary.assign(site=site) for site, summary in summaries.items()])
    write_whole(out / "report" / BY_SITE, own.to_csv(index=False, lineterminator="\n").encode())
    return page


def merged(exports: Mapping[str, Export]) -> ReportContents:
    """The report of several sites, by name. Raises MergeError for exports that are not of one study, have a patient in
    common, or whose figures do not follow from their patients'."""
    check_together(exports)
    check_patients(exports)
    models = [model.name for model in common_models(exports)]
    sites = {site: export.scores.of({*models, READERS}) for site, export in exports.items()}
    for site, export in exports.items():
        _check_figures(export, sites[site])
    pooled = pool(sites)
    region = next(iter(exports.values())).study.region
    if region != WHOLE_KEY:  # so that nobody compares it with figures of another
        pooled = replace(pooled, per_subject=pooled.per_subject.assign(region=region))
    return _contents(exports, sites, pooled)


def _check_figures(export: Export, scores: Scores) -> None:
    """Raise MergeError where a site's own figures do not follow from its patients', but for those within sources: from
    which source a patient is stays there."""
    again = pool({"site": scores}, Bootstrap(resamples=1)).summary.set_index(KEY)["value"]
    within = [metric.id for metric in grade_metrics(export.study.problem) if metric.within_origins]
    told = scores.summary[~scores.summary["metric"].isin(within)].set_index(KEY)["value"]
    if again.index.difference(told.index).size or told.index.difference(again.index).size:
        raise MergeError(f"{export.path}: its summary and its patients have different figures: export the run again")
    wrong = told[~np.isclose(told, again[told.index], rtol=1e-9, atol=1e-12, equal_nan=True)]
    if len(wrong):
        raise MergeError(
            f"{export.path}: {', '.join(map(str, wrong.index[0]))} is {wrong.iloc[0]:.6g} in its summary, and "
            f"{again[wrong.index[0]]:.6g} by its patients: score the run again with this version, and export it again"
        )


def _contents(exports: Mapping[str, Export], sites: Mapping[str, Scores], pooled: Scores) -> ReportContents:
    studies = [export.study for export in exports.values()]
    first, models = studies[0], common_models(exports)
    counts = {site: classes_of(scores, first.problem.count) for site, scores in sites.items()}
    whole = classes_of(pooled, first.problem.count)
    region = "" if first.region == WHOLE_KEY else f", {first.region_title}"
    where = ", ".join(f"{site} ({n})" for site, (n, _) in counts.items())
    return ReportContents(
        title=f"{first.study}{region} at {len(exports)} sites: language model, network or neither?",
        study=", ".join(dict.fromkeys(study.study for study in studies)),
        cohort=where,
        parts=[Part("test", *whole), *(Part(f"test, {site}", *count) for site, count in counts.items())],
        summary=pooled.summary,
        per_subject=pooled.per_subject,
        votes=pooled.votes,
        decision=decision_curves(pooled.summary, pooled.votes, first.problem),
        baselines=frozenset(model.name for model in models if model.trivial),
        comparisons=comparisons(pooled, models),
        by_site=_by_site({ALL: pooled, **sites}, {ALL: whole[0], **{site: n for site, (n, _) in counts.items()}}),
        faults=list(_faults(exports)),
        provenance={site: _provenance(export) for site, export in exports.items()},
        oracles=list(dict.fromkeys(one for study in studies for one in study.oracles)),
        notes=list(_notes(exports)),
        marks={model.name: model.mark for model in models if model.mark} | {READERS: AGAINST},
        references=frozenset({READERS}),
        region=first.region_title,
        problem=first.problem,
    )


def _by_site(sites: Mapping[str, Scores], patients: Mapping[str, int]) -> pd.DataFrame:
    """The first metric of each task at each site and at all of them, with the columns of `SUBGROUPS`."""
    summary = sites[ALL].summary
    tables = []
    for task in tasks_of(summary):
        metric = metrics_of(summary, task)[0]
        for site, scores in sites.items():
            found = nearest(scores.summary, task, metric)
            tables.append(found.assign(variable="site", group=site, n_patients=patients[site], n=found["n_subjects"]))
    return pd.concat(tables, ignore_index=True)[list(SUBGROUPS)]


def _faults(exports: Mapping[str, Export]) -> Iterator[Fault]:
    for site, export in exports.items():
        for number in range(1, export.study.left_out + 1):
            yield Fault(f"{site}, {number}", "left out there; the site's own report says why")


def _provenance(export: Export) -> str:
    study = export.study
    split = ", ".join(f"{key} {value}" for key, value in study.split.items() if value is not None)
    return f"gliobench {study.gliobench}, study {study.study}, {split}; export with manifest SHA-256 {export.digest}"


def _notes(exports: Mapping[str, Export]) -> Iterator[str]:
    yield (
        f"Patients of {len(exports)} sites, who were tested where they are: only figures and answers left a site, with "
        "keyed hashes for ids. Each patient counts once. Intervals and tests resample patients, not sites: they are "
        "about more patients of these sites, not about another hospital."
    )
    yield (
        "A patient of two sites has two hashes and would be counted twice; patients with equal figures were looked "
        "for, and there are none."
    )
    models = common_models(exports)
    if trained := [model.name for model in models if model.learns]:
        yield (
            f"{', '.join(trained)}: trained at each site on its own training patients. Their pooled figures are of a "
            "recipe, not of one set of weights."
        )
    if local := [model.name for model in models if _comes_from_a_folder(model.settings)]:
        yield f"{', '.join(local)}: from files of each site's own, of which nobody checked that they are the same."
    for name, own in left_out_models(exports).items():
        yield f"{name}: left out, for only {', '.join(own)} asked it."
    if any(export.study.phantoms for export in exports.values()):
        yield "Among these patients are phantoms made by gliobench: the figures say nothing about real patients."
    yield from split_notes(exports)


def _comes_from_a_folder(settings: Mapping[str, object]) -> bool:
    return any(settings.get(key) is True for key in ("weights", "start"))
