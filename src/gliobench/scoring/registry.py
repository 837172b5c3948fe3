"""Every metric, in the order of the tables. To add one, write it in the file of its subject, or as another package's
entry point `gliobench.metrics`; every table has it the next time a run is scored."""

from collections.abc import Iterator

from gliobench.plugins import package_of, plugins
from gliobench.scoring import calibration, grades, location, overlap, surface
from gliobench.scoring.grades import GradeMetric
from gliobench.scoring.metric import AnswerMetric, Metric

BUILT_IN: tuple[Metric, ...] = (
    *(*overlap.METRICS, *surface.METRICS, *location.METRICS, *grades.METRICS, *calibration.METRICS),
)


def _brought() -> Iterator[Metric]:
    """The metrics of other packages. Raises ImportError for anything else, and for a name that is taken."""
    taken = {metric.id for metric in BUILT_IN}
    for name, metric in plugins("metrics").items():
        where = f"{package_of('metrics', name)}: its entry point {name}"
        if not isinstance(metric, AnswerMetric | GradeMetric) or metric.id != name:
            raise ImportError(f"{where} is {metric!r:.60}; expected an AnswerMetric or a GradeMetric of the id {name}")
        if name in taken:
            raise ImportError(f"{where} has the name of a built-in metric; choose another")
        yield metric


METRICS: tuple[Metric, ...] = (*BUILT_IN, *_brought())
BY_ID = {metric.id: metric for metric in reversed(METRICS)}
GRADE_METRICS = tuple(metric for metric in METRICS if isinstance(metric, GradeMetric))


def metrics_of(compared_as: str) -> tuple[AnswerMetric, ...]:
    """The metrics of single answers with one `compared_as`."""
    return tuple(metric for metric in METRICS if isinstance(metric, AnswerMetric) and metric.of == compared_as)


def named(id: str) -> Metric:
    """The metric with an id. One of a package that is not installed here has no unit."""
    return BY_ID.get(id) or Metric(id, id.replace("_", " "), "share", "higher")
