"""Human readers as a row of their own: each one's mask against what the others agree on.

It is the agreement to compare a model's with: one that agrees better with the consensus than a reader does with the
others reproduces the consensus, which is not shown to be closer to the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gliobench.cohort.readers import consensus, marked_by, readers_in
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.scoring.human import READERS
from gliobench.scoring.score import EVERY_SLICE, Item, SubjectRow, SubjectScores, TaskSlices, score_subject
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK


def score_readers(
    subject: PreparedSubject, slices: Mapping[Plane, Sequence[int]], kept: TaskSlices = EVERY_SLICE
) -> SubjectScores:
    """The mean over the readers of a patient's metrics, each reader against the consensus of the others; no rows with
    fewer than three readers, whose others would be one alone, nor in a study of one region, as readers mark the whole
    target."""
    coded = subject.readers
    if coded is None or not subject.region.whole or len(readers := readers_in(coded)) < 3:
        return SubjectScores((), ())
    found: dict[tuple[str, str, str], list[SubjectRow]] = {}
    for reader in readers:
        against = replace(subject, labels=consensus(coded, subject.problem, without=reader))
        item = Item(READERS, MASK.name, None, Answered(VolumeMask(marked_by(coded, reader))))
        for row in score_subject(against, [item], slices, kept=kept).rows:
            found.setdefault((row.task, row.plane, row.metric), []).append(row)
    return SubjectScores(tuple(map(_mean, found.values())), ())


def _mean(rows: Sequence[SubjectRow]) -> SubjectRow:
    """One row with the mean of those that have a value; none where none has."""
    values = [row.value for row in rows if not np.isnan(row.value)]
    with_value = next((row for row in rows if not np.isnan(row.value)), rows[0])
    return replace(with_value, value=float(np.mean(values)) if values else float("nan"))
