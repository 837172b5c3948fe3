"""Stage `prepare`: done once, and again where something has come to harm or has changed."""

import json
import os
from pathlib import Path

import pytest

from gliobench.cohort.phantom import write_phantom
from gliobench.grid.store import StoreError
from gliobench.study.config.study import read_study
from gliobench.study.stages.prepare import prepare
from gliobench.study.state.context import Context, make_context

STUDY = """\
name: prepared
grid: {shape: [12, 16, 16]}
models: [{kind: baseline, name: empty}]
"""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Two coarse phantoms, prepared."""
    write_phantom(tmp_path / "cohort", subjects=2, seed=0, spacing_mm=3)
    (tmp_path / "study.yaml").write_text(STUDY)
    context = again(tmp_path)
    prepare(context)
    return context


def again(folder: Path) -> Context:
    """The same study, as the next command sees it."""
    return make_context(read_study(folder / "study.yaml"), cohort=folder / "cohort", out=folder / "out")


@pytest.mark.parametrize("harm", ["short image", "earlier version"])
def test_a_stored_patient_that_cannot_be_opened_is_made_again(context: Context, tmp_path: Path, harm: str) -> None:
    prepare(context)
    folder = next(context.store.iterdir())
    if harm == "short image":
        os.truncate(folder / "image.npy", 1000)
    else:
        meta = json.loads((folder / "meta.json").read_text())
        meta["files"]["image.npy"].pop("shape")
        (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(StoreError, match="run `gliobench prepare` again"):
        _ = again(tmp_path).subjects
    prepare(again(tmp_path))
    assert list(again(tmp_path).subjects) == ["Phantom_001", "Phantom_002"]
