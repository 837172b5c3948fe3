"""Every metric, in the order of the tables. To add one, write it in the file of its subject, or as another package's
entry point `gliobench.metrics`; every table has it the next time a run is scored."""

from collections.abc import Iterator
from functools import cache

from gliobench.plugins import PluginError, package_of, plugins
from gliobench.scoring import calibration, grades, location, overlap, surface
from gliobench.scoring.grades import GradeMetric
from gliobench.scoring.metric import AnswerMetric, Metric

BUILT_IN: tuple[Metric, ...] = (
    *(*overlap.METRICS, *surface.METRICS, *location.METRICS, *grades.METRICS, *calibration.METRICS),
)


def _brought() -> Iterator[Metric]:
    """The metrics of other packages. Raises PluginError for what is none, and for a name that is taken."""
    taken = {metric.id for metric in BUILT_IN}
    for name, metric in plugins("metrics").items():
        where = f"{package_of('metrics', name)}: its entry point {name}"
        if not isinstance(metric, AnswerMetric | GradeMetric) or metric.id != name:
            raise PluginError(f"{where} is {metric!r:.60}; expected an AnswerMetric or a GradeMetric of the id {name}")
        if name in taken:
            raise PluginError(f"{where} has the name of a built-in metric; give it another")
        yield metric


@cache
def metrics() -> tuple[Metric, ...]:
    """All of them, those of other packages last. Raises PluginError."""
    return (*BUILT_IN, *_brought())


def grade_metrics() -> tuple[GradeMetric, ...]:
    """The metrics of the grades of all patients."""
    return tuple(metric for metric in metrics() if isinstance(metric, GradeMetric))


def metrics_of(compared_as: str) -> tuple[AnswerMetric, ...]:
    """The metrics of single answers that are compared in one way."""
    return tuple(metric for metric in metrics() if isinstance(metric, AnswerMetric) and metric.of == compared_as)


def named(id: str) -> Metric:
    """The metric of a name. One of a package that is not installed here has no unit."""
    known = (metric for metric in metrics() if metric.id == id)
    return next(known, None) or Metric(id, id.replace("_", " "), "share", "higher")
