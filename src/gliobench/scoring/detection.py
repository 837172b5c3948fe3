"""Whether a tumour is found where there is one, and not where there is none: over patients, and over their slices."""

from functools import partial

from gliobench.scoring.metric import WITH_TUMOUR, WITHOUT_TUMOUR, AnswerMetric

_detection = partial(AnswerMetric, unit="share", better="higher", right_or_wrong=True, unanswered=0.0, one_empty=0.0)
_sensitivity = partial(
    _detection,
    *("detection_sensitivity", "detection sensitivity"),
    measure=lambda compared: 1.0,
    both_empty=0.0,
    only=WITH_TUMOUR,
)
_specificity = partial(
    _detection,
    *("detection_specificity", "detection specificity"),
    measure=lambda compared: 0.0,
    both_empty=1.0,
    only=WITHOUT_TUMOUR,
)
METRICS = tuple(metric(of=of) for of in ("area", "place") for metric in (_sensitivity, _specificity))
