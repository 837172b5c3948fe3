"""Always the mean box of the training patients' tumour slices."""

from collections.abc import Sequence

import numpy as np

from gliobench.grid.frame import Plane, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import select_slices
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.baselines.image_centre import asked_frame
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.box import BOX
from gliobench.tasks.geometry import Box


def mean_box(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """The mean of the four edges over all slices of a plane that hold the target, every patient with the same weight.

    Raises ModelError where no training patient has a mask.
    """
    edges = [
        np.mean(boxes, axis=0) for subject in train if subject.labels is not None and (boxes := _boxes(subject, plane))
    ]
    if not edges:
        raise ModelError("mean-box: no training patient has a mask to take boxes from")
    row_min, column_min, row_max, column_max = np.mean(edges, axis=0).tolist()

    def answer(question: Question) -> Box:
        return Box(asked_frame(question), row_min, column_min, row_max, column_max)

    settings = {"row_min": row_min, "column_min": column_min, "row_max": row_max, "column_max": column_max}
    return Rule("mean-box", frozenset({BOX.name}), True, settings, answer)


def _boxes(subject: PreparedSubject, plane: Plane) -> list[tuple[int, int, int, int]]:
    """row_min, column_min, row_max, column_max of every tumour slice; slices without tumour may lie between them."""
    found = (np.nonzero(take_slice(subject.tumour, plane, index)) for index in select_slices(subject, plane, "oracle"))
    return [
        (int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max()))
        for rows, columns in found
        if len(rows)
    ]
