"""What `gliobench init` found, in lines for a person."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from gliobench.cohort.draft.draft import Draft
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import Cohort, named
from gliobench.study.stages.prepare import patients_and_scans
from gliobench.study.starting.choices import CT_BELOW
from gliobench.study.starting.survey import Survey

NAMED_FAULTS = 10


def summary_lines(draft: Draft, cohort: Cohort, problem: Problem, survey: Survey) -> Iterator[str]:
    """Patients, images, classes, masks, geometry, and what to look at."""
    yield f"{draft.cohort}: {patients_and_scans(cohort)}, recognised as {_recognised(draft, cohort)}"
    yield f"images: {', '.join(image.name for image in problem.images)}"
    for name, ids in draft.lacking.items():
        if ids:
            yield f"without {name}: {named(list(ids))}"
    yield from _classes(cohort, problem)
    yield from _masks(problem, survey)
    looks = list(survey.looks.values())
    yield f"shape: {_ranges([look.shape for look in looks], 'g')} voxels"
    yield f"spacing: {_ranges([look.spacing_mm for look in looks], '.3g')} mm"
    for image in problem.images:
        if image.window:
            low, high = image.window
            yield f"{image.name}: values below {CT_BELOW:g}, so taken for CT with the window {low:g} to {high:g} HU"
    yield from draft.notes
    yield from cohort.notes
    yield from (f"invalid: {fault}" for fault in survey.faults[:NAMED_FAULTS])
    if len(survey.faults) > NAMED_FAULTS:
        yield f"invalid: {len(survey.faults) - NAMED_FAULTS} more"


def _recognised(draft: Draft, cohort: Cohort) -> str:
    if draft.table is None:
        return cohort.layout
    return "a table with other names of columns" if draft.cohort.is_file() else "files whose names end alike"


def _classes(cohort: Cohort, problem: Problem) -> Iterator[str]:
    counts = Counter(subject.grade for subject in cohort.subjects)
    if not problem.classes or counts.keys() == {None}:
        yield "classes: none"
        return
    said = [f"{name} {counts[number]}" for number, name in enumerate(problem.classes)]
    unknown = [f"unknown {counts[None]}"] if counts[None] else []
    order = ", from low to high" if problem.ordered else ", in no known order"
    yield f"classes{order}: {', '.join([*said, *unknown])}"


def _masks(problem: Problem, survey: Survey) -> Iterator[str]:
    if not survey.masked:
        yield "masks: none"
        return
    yield f"masks: in {len(survey.masked)} of {len(survey.looks)} scans"
    named_as = {label: region.name for region in problem.regions for label in region.labels if len(region.labels) == 1}
    for label, volumes_ml in survey.labels.items():
        name = f" ({named_as[label]})" if label in named_as else ""
        yield f"  label {label}{name}: in {len(volumes_ml)} scans, median {np.median(volumes_ml):.3g} ml"
    if survey.empty:
        yield f"  empty: {named(survey.empty)}, so the target may be absent"


def _ranges(rows: Sequence[Sequence[float]], form: str) -> str:
    """Along each axis the least and the most."""
    ends = [(min(axis), max(axis)) for axis in zip(*rows, strict=True)]
    return " x ".join(f"{low:{form}}" if low == high else f"{low:{form}}-{high:{form}}" for low, high in ends)
