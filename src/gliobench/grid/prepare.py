"""Put any patient on the common grid.

Intensities are interpolated linearly, labels taken from the nearest voxel. Presets:

`brain`   the box of the voxels that are not background in every image (of all voxels in a problem with `body:
          everything`), at the isotropic spacing at which it fits the shape, centred in the grid. Each image clipped at
          its window, or at its brain's 0.5 and 99.5 percentiles, then linear. An image's background is 0, or the
          other value of most voxels on its faces (a rescaled or z-scored scan). Where there is none (a crop) the box is
          the whole volume, and a note says so.
`study`   the reference study's: axially all that is 30 mm or more from either end (a scan of 155 slices of 1 mm: slices
          30 to -30, 95 of them); in plane 128 mm around the middle of the brain's box, where the study crops at random,
          so that large brains lose their rim, as in the study; where the study's crop is known, that crop
          (`Recipe.window`). Intensities of the four modalities together clipped
          at the percentiles 1 and 99 and equalised.
`tumour`  at 1 mm around the centre of the mask's box: an oracle, as it needs the truth. Intensities as in `brain`.
`stored`  the scan's own voxels around its middle, for crops that are already z-scored: one window of -4 to 8 standard
          deviations for all patients. The other presets scale every patient to its own percentiles, which removes
          differences in brightness between patients.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.read import SubjectError
from gliobench.cohort.subject import Fault, RawSubject
from gliobench.grid.background import backgrounds, head, lowered
from gliobench.grid.intensity import IntensityError, to_grey
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.recipe import Preset, Recipe, content_key
from gliobench.grid.resample import Placement, Scan, centred, nearest, orient, trilinear

STUDY_MARGIN_MM = 30.0
STUDY_FIELD_MM = 128.0

Shape = tuple[int, int, int]


class _Unplaceable(ValueError):
    """A scan cannot be placed on the grid; without the patient's name. `{body}` stands for what is not background,
    which is also the preset's name."""


def prepare_subject(raw: RawSubject, recipe: Recipe, problem: Problem = GLIOMA) -> PreparedSubject:
    """One patient on the grid of `recipe.shape` (D, H, W), in memory.

    `affine` of the result maps the grid to the same world millimetres as `raw.affine` maps the source. The brain is
    where any modality is not its background; outside it the image is 0, inside it 1 to 255. Raises SubjectError: only
    background voxels, `study` on a scan of 60 mm or less, `tumour` without a mask, `stored` on intensities that are not
    z-scored, no voxel of the tumour on the grid.
    """
    try:
        scan = _scan(raw)
        values, present = _body(scan, problem)
        placement, brain = _place(scan, present, recipe)
        labels = _placed_labels(scan, placement, recipe)
    except _Unplaceable as error:
        raise SubjectError((Fault(raw.id, str(error).format(body=problem.foreground)),)) from error
    image = np.zeros((len(scan.images), *recipe.shape), np.uint8)
    inside = np.flatnonzero(brain)  # flat: assigning by a mask takes three times as long
    images = scan.images if recipe.preset == "stored" else lowered(scan.images, values)  # z-scores stay unchanged
    try:
        grey = to_grey(trilinear(images, placement, inside), recipe.preset, [image.window for image in problem.images])
    except IntensityError as error:
        raise SubjectError((Fault(raw.id, str(error)),)) from error
    for name, channel, shades in zip(problem.names, image, grey, strict=True):
        channel.reshape(-1)[inside] = 0 if name in raw.lacking else shades
    width, height, depth = raw.images.shape[1:]
    return PreparedSubject(
        id=raw.id,
        grade=raw.grade,
        image=image,
        labels=labels,
        readers=None if scan.readers is None else nearest(scan.readers, placement),
        affine=placement.affine(scan.affine),
        native_affine=raw.affine,
        native_shape=(width, height, depth),
        oracle=recipe.oracle,
        content=content_key(raw.content, raw.id, raw.grade, recipe, any(values), problem),
        findings=replace(raw.findings, notes=(*raw.findings.notes, *_notes(values, present, recipe, problem))),
        problem=problem,
    )


def _body(scan: Scan, problem: Problem) -> tuple[tuple[float, ...], NDArray[np.bool_]]:
    """The background of each image, and where the grid has to be: (Z, Y, X) bool."""
    if problem.body == "everything":
        return (0.0,) * len(scan.images), np.ones(scan.images.shape[1:], dtype=bool)
    values = backgrounds(scan.images)
    return values, head(scan.images, values)


def _scan(raw: RawSubject) -> Scan:
    if np.linalg.det(raw.affine[:3, :3]) == 0:
        raise _Unplaceable(f"the affine does not span three directions: {raw.affine[:3, :3].tolist()}")
    return orient(raw)


def _place(scan: Scan, present: NDArray[np.bool_], recipe: Recipe) -> tuple[Placement, NDArray[np.bool_]]:
    """The grid's placement in the scan, and the brain on the grid (D, H, W)."""
    if not present.any():
        raise _Unplaceable("every voxel of every image is 0, or one other value: the images are empty")
    placement = _PLACEMENTS[recipe.preset](scan, present, recipe.shape)
    if recipe.window is not None:
        row, column = recipe.window
        placement = replace(placement, start=(placement.start[0], float(row), float(column)))
    brain = nearest(present, placement)
    if not brain.any():
        raise _Unplaceable(f"preset `{recipe.preset}` places the grid where all images are 0: use preset `{{body}}`")
    return placement, brain


def _notes(values: tuple[float, ...], present: NDArray[np.bool_], recipe: Recipe, problem: Problem) -> Iterator[str]:
    """Notes on how the body was separated from the background."""
    if problem.body == "everything":
        return
    if other := [f"{name} {value:g}" for name, value in zip(problem.names, values, strict=True) if value != 0]:
        yield f"the background is not 0 but {', '.join(other)}, and was detected as background"
    first, last = _box(present)
    if recipe.preset in ("brain", "study") and not first.any() and (last == np.array(present.shape) - 1).all():
        body = "brain" if problem.body == "brain" else "body"
        yield f"no background was found around the {body}, so the grid is placed by the whole volume"


def _placed_labels(scan: Scan, placement: Placement, recipe: Recipe) -> NDArray[np.uint8] | None:
    """The mask on the grid (D, H, W). Raises where no voxel of it is on the grid: the patient would have no tumour."""
    if scan.labels is None:
        return None
    labels: NDArray[np.uint8] = nearest(scan.labels, placement)
    if scan.labels.any() and not labels.any():
        voxels, shape = np.count_nonzero(scan.labels), " x ".join(map(str, recipe.shape))
        preset = "{body}" if recipe.preset == "brain" else recipe.preset
        raise _Unplaceable(
            f"the mask has {voxels} voxels, none of them on the grid (preset `{preset}`, {shape}): use preset "
            "`{body}`, a larger shape, or check the mask"
        )
    return labels


def _place_brain(scan: Scan, present: NDArray[np.bool_], shape: Shape) -> Placement:
    first, last = _box(present)
    extent_mm = (last - first + 1) * scan.spacing_mm
    spacing_mm = float((extent_mm / shape).max())
    return centred((first + last) / 2, [spacing_mm] * 3, shape, scan)


def _place_study(scan: Scan, present: NDArray[np.bool_], shape: Shape) -> Placement:
    slices, slice_mm = present.shape[0], scan.spacing_mm[0]
    kept_mm = slices * slice_mm - 2 * STUDY_MARGIN_MM
    if kept_mm <= 0:
        raise _Unplaceable(
            f"preset `study` leaves out {STUDY_MARGIN_MM:.0f} mm at the top and at the bottom, and the scan is "
            f"{slices * slice_mm:.0f} mm high: use preset `{{body}}`"
        )
    margin = round(STUDY_MARGIN_MM / slice_mm)
    slab = present[margin : slices - margin]
    if not slab.any():
        raise _Unplaceable("preset `study` finds no {body} in the slices that it keeps: use preset `{body}`")
    first, last = _box(slab)
    middle = np.array([(slices - 1) / 2, *((first + last) / 2)[1:]])
    spacing_mm = (kept_mm / shape[0], STUDY_FIELD_MM / shape[1], STUDY_FIELD_MM / shape[2])
    placement = centred(middle, spacing_mm, shape, scan)
    # On whole voxels in plane: at 1 mm the study's crop copies voxels and does not interpolate.
    depth, height, width = placement.start
    return Placement((depth, float(np.floor(height + 0.5)), float(np.floor(width + 0.5))), placement.step, shape)


def _place_tumour(scan: Scan, present: NDArray[np.bool_], shape: Shape) -> Placement:
    if scan.labels is None or not scan.labels.any():
        raise _Unplaceable("preset `tumour` is placed by the mask, and there is none: use preset `{body}`")
    first, last = _box(scan.labels > 0)
    return centred((first + last) / 2, (1.0, 1.0, 1.0), shape, scan)


def _place_stored(scan: Scan, present: NDArray[np.bool_], shape: Shape) -> Placement:
    return centred((np.asarray(present.shape) - 1) / 2, scan.spacing_mm.tolist(), shape, scan)


_PLACEMENTS: dict[Preset, Callable[[Scan, NDArray[np.bool_], Shape], Placement]] = {
    "brain": _place_brain,
    "study": _place_study,
    "tumour": _place_tumour,
    "stored": _place_stored,
}


def _box(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last index of a mask along each axis, inclusive; two arrays of (3,)."""
    filled = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return np.array([found[0] for found in filled]), np.array([found[-1] for found in filled])
