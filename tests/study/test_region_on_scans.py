"""Asked about label 1, a study has the reference study's published boxes as its truth: on the real patients at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from gliobench.grid.frame import slice_frame
from gliobench.grid.prepared import PreparedSubject
from gliobench.scoring.truth import SubjectTruth
from gliobench.study.asking.questions import asked_slices
from gliobench.study.config.study import Study
from gliobench.study.stages.prepare import prepare
from gliobench.study.state.context import make_context
from gliobench.tasks.box import BOX

# Where the study's window of 128 x 128 begins in the scan, row and column, as `tests/replay/test_windows.py` has them.
WINDOWS = {"BraTS20_Training_216": (68, 57), "BraTS20_Training_275": (67, 58)}
Edges = tuple[float, float, float, float]  # first row and column, last row and column, of the scan's voxels


def on_scan(subject: PreparedSubject, index: int, edges: Edges) -> Edges:
    """A box of an axial slice of the grid, which copies the scan's voxels, in the scan's slice."""
    corners = np.array([(index, *edges[:2], 1), (index, *edges[2:], 1)], dtype=float)
    x, y, z = np.sort((np.linalg.inv(subject.native_affine) @ subject.affine @ corners.T)[:3], axis=1).round(3)
    assert z.tolist() == [30 + index] * 2  # the study's slices begin at the scan's slice 30
    return y[0], x[0], y[1], x[1]


@pytest.mark.realdata
def test_the_true_boxes_of_label_1_are_the_published_ones_and_those_of_the_whole_tumour_are_wider(
    shared: Path, tmp_path: Path
) -> None:
    replication = shared / "replication"
    order = json.loads((replication / "patients.json").read_text())["test_in_study_order"]
    targets = np.load(replication / "targets" / "test_seg_bbounds.npz")["array"]
    boxes, same = 0, {"necrosis": 0, "whole": 0}
    for name, region in (("necrosis", {"label": 1, "words": "necrotic core"}), ("whole", "whole")):
        empty = {"kind": "baseline", "name": "empty"}
        study = Study.model_validate({"name": "s", "region": region, "grid": {"preset": "study"}, "models": [empty]})
        context = make_context(study, cohort=shared / "cohort_1mm", out=tmp_path / "run", store=tmp_path / "grid")
        prepare(context)
        slices = asked_slices(context, "axial", tuple(WINDOWS))
        for id, (row, column) in WINDOWS.items():
            subject = context.subjects[id]
            published = {n: target for n, target in enumerate(targets[order.index(id)].tolist()) if target[0] != -1}
            assert set(published) <= set(slices[id])
            truth = SubjectTruth(subject)
            for index, (top, left, bottom, right) in published.items():
                box = truth.slice(slice_frame("axial", index, subject.shape, subject.spacing_mm)).of(BOX.name)
                assert box is not None
                found = on_scan(subject, index, (box.row_min, box.column_min, box.row_max, box.column_max))
                target = (row + top, column + left, row + bottom, column + right)
                assert found[0] <= target[0]
                assert found[1] <= target[1]
                assert found[2] >= target[2]
                assert found[3] >= target[3]
                inside = row <= found[0] and column <= found[1] and found[2] < row + 128 and found[3] < column + 128
                boxes += name == "necrosis"
                same[name] += inside and found == target
                assert name == "whole" or not inside or found == target, "its window cuts nothing off"
    assert (boxes, same["whole"]) == (70, 0)
    assert same["necrosis"] == 49  # the window cuts label 1 off in 21 slices of patient 216
