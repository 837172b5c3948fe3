"""What the report claims of a run made by the real stages, whatever the words of its sentences."""

import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gliobench.cohort.phantom import write_phantom
from gliobench.study.config.study import read_study
from gliobench.study.run import run_stages
from gliobench.study.state.context import make_context

# The smallest p of ten patients is 2 in 2^10, or 0.002, where all differences have one sign; corrected for four tests
# (a mask gives a polygon, a box and a centre too) at most 0.008. The baseline's Dice lies strictly between 0 and 1 in
# everybody, so the truth is above it throughout, and no mask below.
STUDY = """\
name: verdict
grid: {shape: [24, 32, 32]}
split: {scheme: cross-validation, folds: 2, seed: 1, validation_share: 0.3}
tasks: [mask]
models:
  - {kind: baseline, name: flair-blob}
  - {kind: replay, name: held, masks: masks}
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verdict") / "cohort"
    write_phantom(folder, subjects=10, seed=3, spacing_mm=3)
    return folder


@pytest.mark.parametrize(
    ("held", "verdict", "shown"),
    [
        (lambda truth, number: truth, "better", True),
        (lambda truth, number: truth & (number % 2 == 0), "open", False),
        (lambda truth, number: np.zeros_like(truth), "worse", True),
    ],
    ids=["the truth", "every other truth", "nothing"],
)
def test_the_verdict_of_a_run(
    held: Callable[[NDArray[np.bool_], int], NDArray[np.bool_]],
    verdict: str,
    shown: bool,
    cohort: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "masks").mkdir()
    for number, path in enumerate(sorted(cohort.glob("*/*_seg.nii.gz"))):
        scan = nib.load(path)
        mask = held(np.asarray(scan.dataobj) > 0, number)
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), scan.affine), tmp_path / "masks" / f"{path.parent.name}.nii.gz")
    (tmp_path / "study.yaml").write_text(STUDY)
    study = read_study(tmp_path / "study.yaml")
    page = run_stages(make_context(study, cohort=cohort, out=tmp_path / "run", store=cohort.parent / "grid"))
    dice = pd.read_parquet(tmp_path / "run" / "scores" / "per_subject.parquet").query(
        "model == 'flair-blob' and task == 'mask' and metric == 'dice'"
    )["value"]
    assert len(dice) == 10
    assert dice.between(0, 1, inclusive="neither").all()
    text = page.read_text()
    assert re.findall(r'class="verdict (\w+)"', text) == [verdict] * 4
    assert re.findall(r'<td class="says( shown)?">', text) == [" shown" if shown else ""] * 4
