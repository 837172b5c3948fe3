"""Every metric there is, in the order of the tables. A new one stands in the file of its subject, or is another
package's entry point `gliobench.metrics`, and every table has it the next time a run is scored."""

from gliobench.plugins import plugins
from gliobench.scoring import calibration, grades, location, overlap, surface
from gliobench.scoring.grades import GradeMetric
from gliobench.scoring.metric import AnswerMetric, Metric

METRICS: tuple[Metric, ...] = (
    *(*overlap.METRICS, *surface.METRICS, *location.METRICS, *grades.METRICS, *calibration.METRICS),
    *plugins("metrics").values(),
)
BY_ID = {metric.id: metric for metric in reversed(METRICS)}
GRADE_METRICS = tuple(metric for metric in METRICS if isinstance(metric, GradeMetric))


def metrics_of(compared_as: str) -> tuple[AnswerMetric, ...]:
    """The metrics of single answers that are compared in one way."""
    return tuple(metric for metric in METRICS if isinstance(metric, AnswerMetric) and metric.of == compared_as)


def named(id: str) -> Metric:
    """The metric of a name. One of a package that is not installed here has no unit."""
    return BY_ID.get(id) or Metric(id, id.replace("_", " "), "share", "higher")
