"""The two protocols side by side: what changed between them, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from gliobench.replay.outcome import Outcome, published_side, standard_side
from gliobench.scoring.intervals import Figure
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.grade import GRADE as GRADE_TASK
from gliobench.tasks.polygon import POLYGON

UNREAD = (
    "a slice without a readable answer counts against the model, and (-1, -1) is the answer that there is no tumour; "
    "published: both leave the mean"
)
HD95 = (
    "the larger of the two directed 95th percentiles between the outlines, the slice's diagonal where an answer is "
    "missing"
)
GRADE = (
    "a patient whose slices mostly say no glioma, or nothing that can be read, counts as wrong; published: the patient "
    "leaves the table"
)
STACKED = (
    "an answer that the strict parser refuses is an empty slice of the volume; published: every pair in round brackets "
    "is a point, up to the 15th, and a patient with an empty file has 0"
)
NO_TUMOUR = (
    f"{UNREAD}, and a slice without a tumour is scored against the last true box before it, be it another patient's; "
    "an answer is read only if it is four corners and nothing else"
)
READ_NOT = {  # what the published arithmetic makes of an answer that it does not read
    CENTRE.name: "are left out of the published means",
    BOX.name: "are left out of the published means",
    POLYGON.name: "count as empty slices in the published figures",
}


@dataclass(frozen=True)
class Row:
    """One figure under both protocols. `why`: what the standard does, and what the published arithmetic does instead.

    The published distances are in pixels of the 128 x 128 slice, the standard ones in mm at 1 mm a pixel.
    """

    name: str
    published: Figure
    standard: Figure
    why: str


# Published name, standard name, and what differs.
PAIRS: dict[str, Sequence[tuple[str, str, str]]] = {
    GRADE_TASK.name: [(name, name, GRADE) for name in ("accuracy", "f1", "precision", "recall", "specificity")],
    CENTRE.name: [
        ("in_box", "in_box", UNREAD),
        (
            "distance_to_box_p95_px",
            "distance_to_box_p95_mm",
            "to the rectangle, 0 inside it; published: to the nearest of the lines through its edges, however far "
            "along the line, and from inside too",
        ),
        ("distance_to_centre_p95_px", "distance_to_centre_p95_mm", UNREAD),
        (
            "relative_distance",
            "relative_distance",
            f"the diagonal runs from outer corner to outer corner of the box; published: between the middles of its "
            f"corner pixels, and boxes of one pixel leave the mean; {UNREAD}",
        ),
    ],
    BOX.name: [
        *((name, name, NO_TUMOUR) for name in ("dice", "precision", "recall", "specificity")),
        (
            "hd95_px",
            "hd95_mm",
            f"{HD95}; published: the 95th percentile of the two maxima, between pixels where the mask changes from row "
            "to row",
        ),
    ],
    POLYGON.name: [
        *((name, name, STACKED) for name in ("dice", "precision", "recall", "specificity")),
        (
            "hd95_px",
            "hd95_mm",
            "the larger of the two directed 95th percentiles between the surfaces, the volume's diagonal where one is "
            "empty; published: the plain maximum over all voxels, 128 where either is empty",
        ),
    ],
}


def rows(outcome: Outcome) -> list[Row]:
    """Every published figure beside the standard one. A polygon's are of the stacked volume in both."""
    published = published_side(outcome).figures
    standard = standard_side(outcome, stacked=outcome.external.task == POLYGON.name).figures
    return [
        Row(old, published[old], standard[new], why)
        for old, new, why in PAIRS[outcome.external.task]
        if old in published and new in standard
    ]


def changes(outcome: Outcome) -> list[str]:
    """What the published arithmetic leaves out and computes otherwise, in sentences."""
    return [
        *counts(outcome),
        *(f"{', '.join(names)}: {why}." for why, names in _by_reason(outcome.external.task).items()),
    ]


def counts(outcome: Outcome) -> list[str]:
    """Which answers and patients are not in which figures, in sentences."""
    published, standard = published_side(outcome), standard_side(outcome)
    lost, unread = published.n_asked - published.n_answered, standard.n_asked - standard.n_answered
    sentences = []
    if lost and (fate := READ_NOT.get(outcome.external.task)):
        sentences.append(
            f"{lost} of {published.n_asked} answers were not read and {fate}; under the standard protocol "
            + (f"{unread} cannot be read strictly, and count against the model." if unread else "all can be read.")
        )
    elif lost or unread:
        sentences.append(
            f"{lost} of {published.n_asked} slices were not read by the published tally, "
            f"{unread} under the standard protocol."
        )
    if kept_out := [line for line in published.left_out if line not in standard.left_out]:
        sentences.append(f"Patients left out of the published figures: {'; '.join(kept_out)}.")
    if standard.left_out:
        sentences.append(f"Nothing is known of: {'; '.join(standard.left_out)}.")
    if published.n_subjects != standard.n_subjects:
        sentences.append(f"Published: {published.n_subjects} patients; standard: {standard.n_subjects}.")
    return sentences


def _by_reason(task: str) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for _, new, why in PAIRS[task]:
        reasons.setdefault(why, []).append(new)
    return reasons
