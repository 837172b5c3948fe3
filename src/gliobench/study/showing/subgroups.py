"""The report's figures by subgroup of the test patients."""

from typing import TYPE_CHECKING

import numpy as np

from gliobench.cohort.sources import SOURCE
from gliobench.cohort.variables import all_numbers, stated
from gliobench.grid.prepared import PreparedSubject
from gliobench.study.state.columns import SIZE, check_subgroups
from gliobench.study.state.context import Context
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.scoring.summary import Scores

SEVERAL = "differs between scans"
MM3_PER_ML = 1000


def subgroups(context: Context, scores: "Scores") -> "tuple[pd.DataFrame, pd.DataFrame] | None":
    """The first metric of each task (of classes also the accuracy, which a group of one class has too) in each
    subgroup, and the gap between each model's worst and best: the columns of `gliobench.scoring.subgroups.SUBGROUPS`
    and `GAPS`. None where there are no subgroups. Raises StudyError for an unknown column."""
    import pandas as pd

    from gliobench.report.metrics import lower_is_better, metrics_of, nearest, tasks_of
    from gliobench.scoring.grades import ACCURACY
    from gliobench.scoring.intervals import Bootstrap
    from gliobench.scoring.subgroups import (
        GAPS,
        SUBGROUPS,
        gap_of_classes,
        gap_of_means,
        group_patients,
        subgroup_classes,
        subgroup_means,
    )

    check_subgroups(context.study, [subject.variables for subject in context.subjects.values()])
    tables, gaps, bootstrap = [], [], Bootstrap()
    for variable, values in grouped(context).items():
        groups = group_patients(values)
        for task in tasks_of(scores.summary):
            first = metrics_of(scores.summary, task)[0]
            for metric in dict.fromkeys([first, *([ACCURACY.id] if task == GRADE.name else [])]):
                if task == GRADE.name:
                    found = subgroup_classes(scores.votes, metric, groups, bootstrap)
                    gap = gap_of_classes(scores.votes, metric, groups, found, bootstrap)
                else:
                    rows = nearest(scores.per_subject, task, metric)
                    found = subgroup_means(rows, groups, bootstrap)
                    gap = gap_of_means(rows, groups, found, bootstrap, lower_is_better=lower_is_better(metric))
                sizes = found["group"].map({group: len(patients) for group, patients in groups.items()})
                tables.append(found.assign(variable=variable, n_patients=sizes, task=task, metric=metric))
                gaps.append(gap.assign(variable=variable, task=task, metric=metric))
    if not tables:
        return None
    both = pd.concat(tables, ignore_index=True), pd.concat(gaps, ignore_index=True)
    return both[0][list(SUBGROUPS)], both[1][list(GAPS)]


def grouped(context: Context) -> dict[str, dict[str, str | None]]:
    """The values of each variable that patients are grouped by: those that the study names, and the source where the
    test patients are of several."""
    found = {variable: values_of(context, variable) for variable in context.study.subgroups}
    sources = values_of(context, SOURCE)
    return found | ({SOURCE: sources} if len({*sources.values()} - {None}) > 1 else {})


def values_of(context: Context, variable: str) -> dict[str, str | None]:
    """What the table says of each test patient, or the target's size in ml; of several scans the mean of numbers, or
    that words differ."""
    scans: dict[str, list[str]] = {}
    for id in context.tested:
        own = scans.setdefault(context.patients[id], [])
        if (value := _value(context.subjects[id], variable)) is not None:
            own.append(value)
    return {patient: _one(values) for patient, values in scans.items()}


def _value(subject: PreparedSubject, variable: str) -> str | None:
    if variable != SIZE or variable in subject.variables:
        return stated(subject.variables, variable)
    if subject.labels is None:
        return None
    return f"{subject.tumour.sum() * np.prod(subject.spacing_mm) / MM3_PER_ML:.4g}"


def _one(values: list[str]) -> str | None:
    if len(set(values)) < 2:
        return values[0] if values else None
    return f"{np.mean([float(value) for value in values]):.10g}" if all_numbers(values) else SEVERAL
