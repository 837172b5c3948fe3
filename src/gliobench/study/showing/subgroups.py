"""The report's figures by subgroup of the test patients."""

from typing import TYPE_CHECKING

import numpy as np

from gliobench.cohort.variables import all_numbers, stated
from gliobench.study.state.columns import check_subgroups
from gliobench.study.state.context import Context
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.scoring.summary import Scores

SEVERAL = "differs between scans"


def subgroups(context: Context, scores: "Scores") -> "pd.DataFrame | None":
    """The first metric of each task in each subgroup that the study names, the columns of
    `gliobench.scoring.subgroups.SUBGROUPS`; None where it names none. Raises StudyError for an unknown column."""
    import pandas as pd

    from gliobench.report.metrics import metrics_of, nearest, tasks_of
    from gliobench.scoring.intervals import Bootstrap
    from gliobench.scoring.subgroups import SUBGROUPS, group_patients, subgroup_classes, subgroup_means

    check_subgroups(context.study, [subject.variables for subject in context.subjects.values()])
    tables, bootstrap = [], Bootstrap()
    for variable in context.study.subgroups:
        groups = group_patients(values_of(context, variable))
        for task in tasks_of(scores.summary):
            metric = metrics_of(scores.summary, task)[0]
            if task == GRADE.name:
                found = subgroup_classes(scores.votes, metric, groups, bootstrap)
            else:
                found = subgroup_means(nearest(scores.per_subject, task, metric), groups, bootstrap)
            sizes = found["group"].map({group: len(patients) for group, patients in groups.items()})
            tables.append(found.assign(variable=variable, n_patients=sizes, task=task, metric=metric))
    return pd.concat(tables, ignore_index=True)[list(SUBGROUPS)] if tables else None


def values_of(context: Context, variable: str) -> dict[str, str | None]:
    """What the table says of each test patient; of several scans the mean of numbers, or that words differ."""
    scans: dict[str, list[str]] = {}
    for id in context.tested:
        own = scans.setdefault(context.patients[id], [])
        if (value := stated(context.subjects[id].variables, variable)) is not None:
            own.append(value)
    return {patient: _one(values) for patient, values in scans.items()}


def _one(values: list[str]) -> str | None:
    if len(set(values)) < 2:
        return values[0] if values else None
    return f"{np.mean([float(value) for value in values]):.10g}" if all_numbers(values) else SEVERAL
