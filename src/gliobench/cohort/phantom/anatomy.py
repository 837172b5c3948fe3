"""A head without its skull: cortex folded around white matter, ventricles, deep grey nuclei, cerebellum, brain stem.

Axes are x (to the patient's left), y (to the back), z (up), in millimetres from the middle of the cerebrum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliobench.cohort.phantom.noise import Field, Shape, smooth_noise

OUTSIDE, CSF, GREY, WHITE = 0, 1, 2, 3
SEMI_AXES_MM = (67.0, 84.0, 62.0)
BASE_MM = 44.0  # below the middle the cerebrum is flatter than above it
VENTRICLES_MM = (  # middle (x is mirrored) and semi-axes
    ((11.0, -8.0, 8.0), (6.0, 24.0, 7.5)),
    ((17.0, 24.0, 4.0), (7.0, 17.0, 8.0)),
    ((30.0, 12.0, -14.0), (3.5, 15.0, 4.0)),
)
NUCLEI_MM = (
    ((10.5, 9.0, -3.0), (8.0, 13.0, 8.5)),  # thalamus
    ((25.0, -8.0, -3.0), (6.0, 15.0, 9.5)),  # putamen and pallidum
    ((14.5, -20.0, 5.0), (5.5, 11.0, 8.5)),  # caudate
)
CEREBELLUM_MM = ((0.0, 40.0, -35.0), (55.0, 38.0, 28.0))
STEM_MM = ((0.0, 19.0, -48.0), (13.0, 13.0, 34.0))


@dataclass(frozen=True, eq=False)
class Anatomy:
    """`tissue`: (X, Y, Z) uint8 of OUTSIDE, CSF, GREY, WHITE. `depth_mm`: how far inside the brain's surface.

    `points`: (3, X, Y, Z) millimetres from the middle of the cerebrum, in the head's own axes. `spacing_mm`: a voxel's
    side.
    """

    tissue: NDArray[np.uint8]
    depth_mm: Field
    points: Field
    spacing_mm: float


def make_anatomy(random: np.random.Generator, shape: Shape, spacing_mm: float) -> Anatomy:
    """One person's brain on a grid of `shape`, with random tilt, size and folds."""
    points = _head_axes(random, shape, spacing_mm)
    cerebrum, cerebellum, stem = (
        _cerebrum(random, points),
        _ellipsoid(points, *CEREBELLUM_MM),
        _ellipsoid(points, *STEM_MM),
    )
    wobble = 0.04 * smooth_noise(random, shape, 14, spacing_mm)
    in_cerebrum, in_cerebellum, in_stem = cerebrum + wobble < 1, cerebellum + wobble < 1, stem + wobble < 1
    brain = in_cerebrum | in_cerebellum | in_stem
    depth_mm = ndimage.distance_transform_edt(brain, spacing_mm).astype(np.float32)
    tissue = np.where(brain, WHITE, OUTSIDE).astype(np.uint8)
    _fold_cortex(random, tissue, in_cerebrum, points, depth_mm, spacing_mm)
    _fold_cerebellum(random, tissue, in_cerebellum & ~in_cerebrum & ~in_stem, points, spacing_mm)
    tissue[in_stem & ~in_cerebrum] = WHITE
    _place_deep_structures(random, tissue, in_cerebrum, points, spacing_mm)
    tissue[brain & (depth_mm <= 1.5)] = CSF  # the thin rim that skull-stripping leaves
    return Anatomy(tissue, depth_mm, points, spacing_mm)


def _head_axes(random: np.random.Generator, shape: Shape, spacing_mm: float) -> Field:
    """Millimetres along the head's own axes: sizes differ by some 5 %, tilts by some 5 degrees."""
    size = random.normal(1.0, 0.035) * random.normal(1.0, 0.02, 3)
    tilt = np.deg2rad(random.normal(0, 4, 3))
    cos, sin = np.cos(tilt), np.sin(tilt)
    about_x = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    about_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    turn = (about_x @ about_y @ about_z / size[:, None]).astype(np.float32)
    middle = np.array([shape[0] / 2, shape[1] / 2, shape[2] * 0.55]) + random.normal(0, 2, 3) / spacing_mm
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    along = (np.float32(1) * (x - middle[0]), np.float32(1) * (y - middle[1]), np.float32(1) * (z - middle[2]))
    along = tuple((spacing_mm * axis).astype(np.float32) for axis in along)
    return np.stack([row[0] * along[0] + row[1] * along[1] + row[2] * along[2] for row in turn])


def _ellipsoid(points: Field, middle: tuple[float, ...], semi_axes: tuple[float, ...]) -> Field:
    """Below 1 inside, growing outwards as a distance does."""
    squares = [((axis - m) / s) ** 2 for axis, m, s in zip(points, middle, semi_axes, strict=True)]
    radius: Field = np.sqrt(squares[0] + squares[1] + squares[2])
    return radius


def _cerebrum(random: np.random.Generator, points: Field) -> Field:
    """An egg, wider at the back, flat below, with temporal lobes: below 1 inside."""
    x, y, z = points
    width = SEMI_AXES_MM[0] * (1 + 0.10 * y / SEMI_AXES_MM[1] - 0.05 * (y / SEMI_AXES_MM[1]) ** 2)
    height = np.where(z > 0, SEMI_AXES_MM[2], BASE_MM)
    powers = np.abs(x / width) ** 2.3 + np.abs(y / SEMI_AXES_MM[1]) ** 2.3 + np.abs(z / height) ** 2.5
    egg = powers ** (1 / 2.4)
    frontal_floor = np.clip((-y - 30) / 30, 0, 1) * np.clip((-z - 12) / 25, 0, 1)  # nothing under the frontal lobes
    between_lobes = np.exp(-((x / 22) ** 2)) * np.clip((-z - 22) / 12, 0, 1)  # nor between the temporal ones
    cerebrum: Field = egg + 0.8 * frontal_floor + 0.9 * between_lobes
    return cerebrum


def _fold_cortex(
    random: np.random.Generator,
    tissue: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    points: Field,
    depth_mm: Field,
    spacing_mm: float,
) -> None:
    """Grey matter along the surface and along sulci: the sheets where a smooth random field changes its sign."""
    field = np.abs(
        smooth_noise(random, points[0].shape, 3.4, spacing_mm)
        + 0.5 * smooth_noise(random, points[0].shape, 6, spacing_mm)
    )
    island = 8 * np.exp(
        -(((np.abs(points[0]) - 52) / 14) ** 2) - ((points[1] + 12) / 26) ** 2 - ((points[2] + 4) / 9) ** 2
    )
    reach = np.clip(1 - depth_mm / (random.uniform(23, 28) + 1.5 * island), 0, 1) * (1 + 0.12 * island)
    fissure_mm = np.abs(points[0] + 1.5 * smooth_noise(random, points[0].shape, 20, spacing_mm))
    above = (points[2] > 18) | (points[1] < -42) | (points[1] > 52)
    tissue[inside & ((field < 0.72 * reach) | (depth_mm < 4.0) | (above & (fissure_mm < 4.0)))] = GREY
    tissue[inside & ((field < 0.19 * reach) | (above & (fissure_mm < 1.0)))] = CSF


def _fold_cerebellum(
    random: np.random.Generator, tissue: NDArray[np.uint8], inside: NDArray[np.bool_], points: Field, spacing_mm: float
) -> None:
    """Thin leaves around a white core."""
    leaves = np.sin(1.1 * points[2] + 0.35 * points[1] + 1.5 * smooth_noise(random, points[0].shape, 8, spacing_mm))
    tissue[inside & (_ellipsoid(points, CEREBELLUM_MM[0], (30, 17, 11)) > 1)] = GREY
    tissue[inside & (leaves > 0.93)] = CSF


def _place_deep_structures(
    random: np.random.Generator, tissue: NDArray[np.uint8], inside: NDArray[np.bool_], points: Field, spacing_mm: float
) -> None:
    wobble = 0.12 * smooth_noise(random, points[0].shape, 8, spacing_mm)
    mirrored = np.stack([np.abs(points[0]), points[1], points[2]])
    callosum = (
        (np.abs(points[0]) < 12) & (np.abs(points[2] - 21 + 0.004 * points[1] ** 2) < 4) & (np.abs(points[1]) < 42)
    )
    tissue[inside & callosum] = WHITE
    for middle, semi_axes in NUCLEI_MM:
        tissue[inside & (_ellipsoid(mirrored, middle, semi_axes) + wobble < 1)] = GREY
    swelling = random.lognormal(0, 0.18)
    for middle, semi_axes in VENTRICLES_MM:
        grown = (semi_axes[0] * swelling, semi_axes[1], semi_axes[2] * swelling)
        tissue[inside & (_ellipsoid(mirrored, middle, grown) + wobble < 1)] = CSF
    third = (np.abs(points[0]) < 1.8) & (np.abs(points[1] - 6) < 13) & (np.abs(points[2] + 5) < 8)
    tissue[inside & third] = CSF
