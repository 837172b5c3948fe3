"""Every metric, in the order of the tables. To add one, write it in the file of its subject, or as another package's
entry point `gliobench.metrics`; every table has it the next time a run is scored."""

from typing import Any

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.plugins import PluginError, Registry
from gliobench.scoring import calibration, detection, grades, lesions, location, overlap, surface
from gliobench.scoring.grades import CLASS_AUC, GradeMetric, class_aucs
from gliobench.scoring.metric import AnswerMetric, Metric

BUILT_IN: tuple[Metric, ...] = (
    *(*overlap.METRICS, *surface.METRICS, *lesions.METRICS, *location.METRICS, *detection.METRICS),
    *(*grades.METRICS, *calibration.METRICS),
)


def made_metric(name: str, metric: Any) -> Metric:
    """The metric of an entry point. Raises PluginError for anything else, and where it has another name."""
    if isinstance(metric, AnswerMetric | GradeMetric) and metric.id == name:
        return metric
    raise PluginError(
        f"the entry point {name} of gliobench.metrics is {metric!r:.60}; expected an AnswerMetric or a GradeMetric of "
        f"the id {name}"
    )


OF_BUILT_IN = {metric.id: metric for metric in BUILT_IN}  # of areas and of grades there are a precision, a recall, …
BY_ID = Registry[Metric]("metrics", OF_BUILT_IN, made_metric)


def metrics() -> tuple[Metric, ...]:
    """All of them, those of other packages last. Raises PluginError."""
    return (*BUILT_IN, *(metric for id, metric in BY_ID.items() if id not in OF_BUILT_IN))


def grade_metrics(problem: Problem = GLIOMA) -> tuple[GradeMetric, ...]:
    """The metrics of the classes of all patients that a problem's classes have."""
    found = [metric for metric in metrics() if isinstance(metric, GradeMetric) and metric.applies(problem)]
    return (*found, *class_aucs(problem))


def metrics_of(compared_as: str) -> tuple[AnswerMetric, ...]:
    """The metrics of single answers with one `compared_as`."""
    return tuple(metric for metric in metrics() if isinstance(metric, AnswerMetric) and metric.of == compared_as)


def named(id: str) -> Metric:
    """The metric with an id. One of a package that is not installed here has no unit."""
    if id.startswith(CLASS_AUC):
        return Metric(id, f"AUC of {id.removeprefix(CLASS_AUC).replace('_', ' ')}", "share", "higher")
    return BY_ID.get(id) or Metric(id, id.replace("_", " "), "share", "higher")
