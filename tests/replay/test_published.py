"""The published protocol gives the reference study's own figures for its own raw answers, every one of them."""

from pathlib import Path

import pytest

from gliobench.replay.outcome import published_side, replay, standard_side

pytestmark = pytest.mark.realdata

# From ../shared/replication/README.md.
PUBLISHED = {
    "grade/general-axial": {
        "accuracy": 0.7818, "f1": 0.8776, "precision": 0.7963, "recall": 0.9773, "specificity": 0.0
    },
    "grade/general-coronal": {"accuracy": 0.8, "f1": 0.8889, "precision": 0.8, "recall": 1.0, "specificity": 0.0},
    "grade/finetuned-100-steps": {
        "accuracy": 0.7551, "f1": 0.8537, "precision": 0.8333, "recall": 0.875, "specificity": 0.2222
    },
    "centre/general": {
        "in_box": 0.0805, "distance_to_box_p95_px": 22.8566, "distance_to_centre_p95_px": 57.4112
    },
    "box/general": {
        "dice": 0.1219, "hd95_px": 65.9103, "precision": 0.0989, "recall": 0.2941, "specificity": 0.7623
    },
    "polygon/general": {
        "dice": 0.0412, "hd95_px": 92.4296, "precision": 0.0432, "recall": 0.0502, "specificity": 0.9371
    },
}  # fmt: skip
SUBJECTS = {"grade/finetuned-100-steps": 49, "centre/general": 53, "box/general": 50}


@pytest.mark.parametrize("folder", PUBLISHED)
def test_every_published_figure(shared: Path, folder: str) -> None:
    side = published_side(replay(shared / "replication" / folder, folder.split("/")[0], "published"))
    assert side.n_subjects == SUBJECTS.get(folder, 55)
    for name, expected in PUBLISHED[folder].items():
        assert side.figures[name].value == pytest.approx(expected, abs=5.001e-5), name


def test_the_standard_protocol_counts_every_slice(shared: Path) -> None:
    centre = replay(shared / "replication" / "centre" / "general", "centre", "both")
    side = standard_side(centre)
    assert (side.n_asked, side.n_answered, side.n_subjects) == (1973, 1973, 53)
    # 49 of 1973 answers say that there is no tumour where there is one: the published mean without them is higher.
    assert side.figures["in_box"].value < published_side(centre).figures["in_box"].value
    assert side.left_out == ("patient_010: no file", "patient_020: no file")


def test_the_box_truths_are_the_studys_own(shared: Path) -> None:
    """The truth that the text files hold is the one in the study's arrays."""
    import numpy as np

    from gliobench.replay.read import read_external

    bounds = sorted((shared / "replication" / "targets").glob("test_seg_*bbounds.npz"))
    arrays = {path.name: np.load(path, allow_pickle=False) for path in bounds}
    found = next(np.asarray(file[file.files[0]]) for name, file in sorted(arrays.items()) if "coronal" not in name)
    external = read_external(shared / "replication" / "box" / "general", "box")
    truths = {
        (int(answer.subject[-3:]), edges)
        for answer in external.answers
        if (box := answer.truth) is not None
        for edges in [(box.row_min, box.column_min, box.row_max, box.column_max)]  # type: ignore[union-attr]
    }
    known = {(number, tuple(row)) for number, rows in enumerate(found.tolist()) for row in rows}
    assert truths <= known
    assert len(truths) > 500
