"""Presets: where the grid lies, what the intensities become, and what comes back to the world."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from gliobench.cohort.read import SubjectError, find_cohort, load_subject
from gliobench.cohort.subject import RawSubject
from gliobench.grid.prepare import prepare_subject
from gliobench.grid.recipe import Recipe
from gliobench.grid.resample import orient

MakeRaw = Callable[..., RawSubject]


def world(affine: np.ndarray, index: tuple[float, ...]) -> np.ndarray:
    return (affine @ [*index, 1.0])[:3]


@pytest.mark.parametrize("codes", ["LPS", "RAS", "SLA", "PIR"])
@pytest.mark.parametrize("preset", ["brain", "tumour"])
def test_a_blob_stays_where_it_is_in_the_world(make_raw: MakeRaw, codes: str, preset: str) -> None:
    raw = make_raw(codes, spacing_mm=(1.0, 1.2, 2.0))
    prepared = prepare_subject(raw, Recipe(preset, (48, 56, 64)))
    before = world(raw.affine, center_of_mass(raw.labels))
    after = world(prepared.affine, center_of_mass(prepared.labels))
    assert np.abs(after - before).max() <= 0.5 * max(prepared.spacing_mm)
    assert prepared.oracle == (preset == "tumour")
    assert prepared.native_shape == raw.images.shape[1:]


@pytest.mark.parametrize("codes", ["LPS", "RAS", "ASL"])
def test_a_copied_grid_maps_each_landmark_to_its_world_position(make_raw: MakeRaw, codes: str) -> None:
    raw = make_raw(codes)
    raw.images[:] = 0
    raw.images[0, 11, 12, 13] = raw.images[0, 30, 40, 20] = 7  # the box's corners, so the step is a voxel
    size = np.abs(orient(raw).affine[:3, :3].T @ (raw.affine[:3, :3] @ [19, 28, 7]))
    shape = tuple(round(extent) + 1 for extent in size)
    prepared = prepare_subject(raw, Recipe("brain", shape))
    found = np.argwhere(prepared.image[0])
    landmarks = {tuple(np.round(world(prepared.affine, tuple(index)), 6)) for index in found}
    assert landmarks == {tuple(world(raw.affine, index)) for index in ((11, 12, 13), (30, 40, 20))}


def test_brain_fits_its_box_at_one_isotropic_spacing_and_centres_it(make_raw: MakeRaw) -> None:
    prepared = prepare_subject(make_raw(spacing_mm=(1.0, 1.0, 2.0)), Recipe("brain", (20, 20, 20)))
    # The brain is 24 voxels of 2 mm high, 35 mm deep and 22 mm wide: 48 mm are to fit 20 voxels.
    assert np.allclose(prepared.spacing_mm, 2.4)
    brain = prepared.image[0] > 0
    assert brain.any(axis=(1, 2)).all()
    for axes, extent_mm in (((0, 2), 35), ((0, 1), 22)):
        filled = np.flatnonzero(brain.any(axis=axes))
        assert abs(len(filled) - extent_mm / 2.4) <= 1
        assert abs((filled[0] + filled[-1]) / 2 - 9.5) <= 0.5


def test_intensities_run_from_1_to_255_inside_and_are_0_outside(make_raw: MakeRaw) -> None:
    raw = make_raw()
    raw.images[2] = 0  # a modality that shows nothing: the brain is where the others are
    prepared = prepare_subject(raw, Recipe("brain", (36, 48, 40)))
    assert prepared.image.dtype == np.uint8
    assert (prepared.image[0].min(), prepared.image[0].max()) == (0, 255)
    assert np.array_equal(np.unique(prepared.image[2]), [0, 1])
    for modality in prepared.image[1:]:
        assert np.array_equal(modality > 0, prepared.image[0] > 0)


def test_a_constant_modality_is_not_stretched_to_the_noise_of_interpolation(make_raw: MakeRaw) -> None:
    raw = make_raw(brain=(slice(None),) * 3)
    raw.images[3] = 50
    assert np.array_equal(np.unique(prepare_subject(raw, Recipe()).image[3]), [0, 1])


def test_brain_stretches_each_modality_between_its_own_percentiles(make_raw: MakeRaw) -> None:
    raw = make_raw(shape=(24, 35, 22), brain=(slice(None),) * 3, tumour=None)
    raw.images[1] *= 10
    prepared = prepare_subject(raw, Recipe("brain", (22, 35, 24)))  # the scan's own voxels
    source = raw.images[1].transpose()
    low, high = np.percentile(source, (0.5, 99.5))
    expected = 1 + 254 * (np.clip(source, low, high) - low) / (high - low)
    assert np.abs(prepared.image[1] - expected).max() <= 0.51


def z_scored(raw: RawSubject) -> RawSubject:
    """The brain of the hand-made scan, 100 to 200, as z-scores from -2 to 3 in steps of 0.05."""
    images = np.where(raw.images > 0, (raw.images - 140) / 20, 0).astype(np.float32)
    return replace(raw, images=images)


def test_stored_keeps_the_voxels_and_gives_equal_z_scores_equal_greys(make_raw: MakeRaw) -> None:
    raw = z_scored(make_raw(shape=(24, 30, 22), spacing_mm=(1.0, 1.2, 2.0), brain=(slice(None),) * 3, tumour=None))
    dimmer = replace(raw, images=raw.images * np.float32(0.5))
    for one in (raw, dimmer):
        prepared = prepare_subject(one, Recipe("stored", (22, 30, 24)))
        expected = 1 + 254 * (one.images.transpose(0, 3, 2, 1) + 4) / 12
        assert np.abs(prepared.image - expected).max() <= 0.51
    assert np.allclose(prepared.spacing_mm, (2.0, 1.2, 1.0))
    assert np.allclose(prepared.affine @ [3, 4, 5, 1], raw.affine @ [5, 4, 3, 1])
    assert not prepared.oracle


def test_stored_cuts_off_what_is_beyond_the_window_and_refuses_a_scan_that_is_not_z_scored(make_raw: MakeRaw) -> None:
    raw = z_scored(make_raw(shape=(24, 30, 22), brain=(slice(None),) * 3))
    raw.images[0, 0, 0, 0], raw.images[0, 1, 0, 0] = -50, 50
    prepared = prepare_subject(raw, Recipe("stored", (22, 30, 24)))
    assert (prepared.image[0, 0, 0, 0], prepared.image[0, 0, 0, 1]) == (1, 255)
    with pytest.raises(SubjectError, match=r"made-by-hand: preset `stored` .* 100%"):
        prepare_subject(make_raw(), Recipe("stored"))


def test_study_takes_slices_30_to_minus_30_and_copies_voxels_of_a_scan_of_155(make_raw: MakeRaw) -> None:
    brain = (slice(40, 200), slice(30, 210), slice(10, 150))
    raw = make_raw(shape=(240, 240, 155), brain=brain, tumour=(slice(100, 130), slice(90, 140), slice(50, 90)))
    prepared = prepare_subject(raw, Recipe("study"))
    assert prepared.shape == (95, 128, 128)
    assert np.allclose(prepared.spacing_mm, 1.0)
    # The brain's middle is at row 119.5 and column 119.5, so the 128 of each begin at 56.
    assert np.allclose(prepared.affine @ [0, 0, 0, 1], raw.affine @ [56, 56, 30, 1], atol=1e-9)
    assert np.array_equal(prepared.labels, raw.labels[56:184, 56:184, 30:125].transpose())
    order = np.argsort(raw.images[0, 56:184, 56:184, 30:125].transpose().ravel()[:2000], kind="stable")
    assert (np.diff(prepared.image[0].ravel()[:2000][order].astype(int)) >= 0).all()  # equalised, so order is kept


def test_study_begins_at_the_window_where_it_is_known_and_has_another_content_then(make_raw: MakeRaw) -> None:
    brain = (slice(40, 200), slice(30, 210), slice(10, 150))
    raw = make_raw(shape=(240, 240, 155), brain=brain, tumour=(slice(100, 130), slice(90, 140), slice(50, 90)))
    prepared = prepare_subject(raw, Recipe("study", window=(68, 57)))  # row, so along y, and column
    assert np.allclose(prepared.affine @ [0, 0, 0, 1], raw.affine @ [57, 68, 30, 1], atol=1e-9)
    assert np.array_equal(prepared.labels, raw.labels[57:185, 68:196, 30:125].transpose())
    others = [prepare_subject(raw, Recipe("study", window=window)).content for window in (None, (57, 68))]
    assert len({prepared.content, *others}) == 3


def test_study_keeps_30_mm_off_each_end_at_other_spacings(make_raw: MakeRaw) -> None:
    raw = make_raw(spacing_mm=(2.0, 2.0, 2.0), shape=(80, 90, 78), brain=(slice(10, 70),) * 3)
    prepared = prepare_subject(raw, Recipe("study"))
    assert np.allclose(prepared.spacing_mm, (96 / 95, 1.0, 1.0))  # 156 mm less twice 30
    top = (prepared.affine @ [94.5, 0, 0, 1])[2]  # the grid's upper edge
    assert np.isclose(top, (raw.affine @ [0, 0, 77.5, 1])[2] - 30)


def test_a_patient_without_zero_background_uses_the_whole_volume(make_raw: MakeRaw) -> None:
    raw = make_raw(shape=(32, 32, 32), brain=(slice(None),) * 3)
    prepared = prepare_subject(raw, Recipe())
    assert np.allclose(prepared.spacing_mm, 32 / 95)
    assert prepared.image[0].any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("recipe", "change", "found"),
    [
        (Recipe("tumour"), {"tumour": None}, "made-by-hand: preset `tumour`"),
        (Recipe("study"), {}, "made-by-hand: preset `study` .* 30 mm .* 36 mm"),
        (Recipe("brain"), {"brain": (slice(0, 0),) * 3}, "made-by-hand: "),
        (
            Recipe("brain"),
            {"tumour": (slice(0, 2), slice(0, 3), slice(0, 1))},  # beside the brain
            "6 voxels.* `brain`, 95 x 128 x 128",
        ),
        (
            Recipe("study"),
            {"shape": (40, 48, 100), "brain": (slice(8, 30), slice(6, 41), slice(5, 95))},  # in the lowest 30 mm
            "864 voxels.* `study`",
        ),
        (
            Recipe("brain", (8, 8, 8)),  # voxels of 35 / 8 mm: the nearest to their middles are four and five apart
            {"tumour": (slice(12, 13), slice(12, 13), slice(12, 13))},
            "1 voxels.* 8 x 8 x 8",
        ),
    ],
)
def test_what_cannot_be_placed_says_who_and_why(
    make_raw: MakeRaw, recipe: Recipe, change: dict[str, object], found: str
) -> None:
    with pytest.raises(SubjectError, match=found):
        prepare_subject(make_raw(**change), recipe)


@pytest.mark.parametrize("wrong", [{"preset": "Brain"}, {"shape": (0, 1, 1)}, {"window": (3, 4)}])
def test_a_wrong_recipe_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"preset|shape"):
        Recipe(**wrong)  # type: ignore[arg-type]


@pytest.mark.realdata
@pytest.mark.parametrize("cohort", ["cohort_1mm", "cohort_2mm"])
@pytest.mark.parametrize("preset", ["brain", "tumour"])
def test_real_tumours_keep_their_volume_and_their_place(shared: Path, cohort: str, preset: str) -> None:
    found = find_cohort(shared / cohort)
    for subject in found.subjects[:6]:
        raw = load_subject(subject, found.labels)
        prepared = prepare_subject(raw, Recipe(preset))
        assert prepared.image.shape == (4, 95, 128, 128)
        assert np.ptp(prepared.spacing_mm) < 1e-9  # aspect kept
        volume = prepared.tumour.sum() * abs(np.linalg.det(prepared.affine[:3, :3]))
        native = (raw.labels > 0).sum() * abs(np.linalg.det(raw.affine[:3, :3]))
        if preset == "brain":  # a grid of 95 x 128 x 128 mm may cut a tumour that is larger
            assert volume == pytest.approx(native, rel=0.03)
            after, before = center_of_mass(prepared.tumour), center_of_mass(raw.labels > 0)
            assert np.linalg.norm(world(prepared.affine, after) - world(raw.affine, before)) < 1.0


@pytest.mark.realdata
def test_real_crops_without_background_are_prepared(shared: Path) -> None:
    found = find_cohort(shared / "lesions" / "subjects.csv")
    raw = load_subject(found.subjects[0], found.labels)
    prepared = prepare_subject(raw, Recipe())
    assert np.allclose(prepared.spacing_mm, 32 * 1.875 / 128)  # 60 mm in plane bind, 38.75 mm in height do not
    assert prepared.tumour.any()
