"""A constant around the head is background, whatever its value; what is none is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.subject import Cohort, ImageFile, RawSubject, Subject
from gliobench.grid.background import background_of
from gliobench.grid.prepare import prepare_subject
from gliobench.grid.recipe import Recipe
from gliobench.grid.store import prepare_cohort

MakeRaw = Callable[..., RawSubject]


@pytest.mark.parametrize("preset", ["brain", "study", "tumour"])
@pytest.mark.parametrize("shifted", [(3,), (0, 1, 2, 3)])
def test_a_constant_added_to_a_scan_changes_nothing(make_raw: MakeRaw, preset: str, shifted: tuple[int, ...]) -> None:
    raw = make_raw(spacing_mm=(2.0, 2.0, 2.0))
    plain = prepare_subject(raw, Recipe(preset, (20, 24, 22)))
    images = raw.images.copy()
    images[list(shifted)] -= 1024
    found = prepare_subject(replace(raw, images=images), Recipe(preset, (20, 24, 22)))
    assert np.array_equal(found.image, plain.image)
    assert np.array_equal(found.affine, plain.affine)
    assert found.content != plain.content, "version 1 stored another image under the plain key"
    (note,) = found.findings.notes
    assert "t2 -1024" in note


def test_a_z_scored_scan_keeps_its_grid_and_greys(make_raw: MakeRaw) -> None:
    raw = make_raw()
    plain = prepare_subject(raw, Recipe("brain", (20, 24, 22)))
    images = raw.images.astype(np.float32)
    for modality in images:
        modality[...] = (modality - modality.mean()) / modality.std()
    found = prepare_subject(replace(raw, images=images), Recipe("brain", (20, 24, 22)))
    assert np.array_equal(found.affine, plain.affine)
    assert np.array_equal(found.image > 0, plain.image > 0)
    assert np.abs(found.image.astype(int) - plain.image).max() <= 1


def test_noise_around_the_head_is_no_background_and_is_said(make_raw: MakeRaw) -> None:
    raw = make_raw()
    assert prepare_subject(raw, Recipe("brain", (20, 24, 22))).findings.notes == ()
    images = raw.images.copy()
    images[3] += np.random.default_rng(0).integers(1, 9, images[3].shape, dtype=np.int16)
    found = prepare_subject(replace(raw, images=images), Recipe("brain", (20, 24, 22)))
    assert found.findings.notes == (
        "no background was found around the brain, so the grid is placed by the whole volume",
    )


@pytest.mark.parametrize(("share", "expected"), [(0.4, 0.0), (0.6, -7.0)])
def test_most_of_the_faces_decide(share: float, expected: float) -> None:
    volume = np.random.default_rng(0).uniform(1, 2, (20, 20, 20))
    volume[: int(20 * share)] = -7
    assert background_of(volume) == expected


def test_what_an_earlier_version_stored_is_not_used_for_such_a_scan(tmp_path: Path) -> None:
    """It had no findings, and took the background for brain."""
    images = {}
    for place, name in enumerate(GLIOMA.names):
        voxels = np.full((20, 22, 18), -5, np.int16)
        voxels[3:17, 4:19, 2:15] = np.random.default_rng(place).integers(50, 300, (14, 15, 13))
        nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1, 1, 1])), tmp_path / f"{name}.nii.gz")
        images[name] = ImageFile(tmp_path / f"{name}.nii.gz")
    cohort = Cohort("one", tmp_path, "by hand", frozenset({1}), (Subject("P1", None, images, None),))
    recipe = Recipe("brain", (12, 14, 16))
    (first,), _ = prepare_cohort(cohort, recipe, tmp_path / "store")
    (again,), _ = prepare_cohort(cohort, recipe, tmp_path / "store")
    assert again.content == first.content
    assert again.findings == first.findings
    assert len(list((tmp_path / "store").iterdir())) == 1
    meta = tmp_path / "store" / first.content / "meta.json"
    meta.write_text(meta.read_text().replace('"findings"', '"earlier"'))
    changed = meta.stat().st_mtime_ns
    prepare_cohort(cohort, recipe, tmp_path / "store")
    assert meta.stat().st_mtime_ns != changed
