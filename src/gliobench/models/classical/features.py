"""Named features of a region: its intensities, the differences between images, and its shape."""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from skimage.filters import threshold_otsu
from skimage.measure import marching_cubes, mesh_surface_area

from gliobench.grid.prepared import PreparedSubject

Region = Literal["crop", "brain", "truth", "predicted", "none"]
MASKED = frozenset({"truth", "predicted"})
FEATURES_VERSION = 1  # increased with every change that changes a feature
PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
SHELLS = 3  # of equally many voxels, from the region's surface to its core
MIN_VOXELS = 8  # with fewer, no distribution is described

Grey = NDArray[np.float32]
Inside = NDArray[np.bool_]


def region_mask(subject: PreparedSubject, region: Region) -> Inside:
    """(D, H, W) bool: the whole prepared crop, its brain, or the tumour: the true one (an oracle), or the one of a
    patient who carries a model's mask in the place of the truth (`gliobench.grid.crop.with_mask`).

    Raises ValueError for a tumour where the patient has no mask.
    """
    if region in MASKED:
        return subject.tumour
    if region == "brain":
        return np.asarray(np.asarray(subject.image).any(axis=0))
    return np.ones(subject.shape, dtype=bool)


def find_features(subject: PreparedSubject, inside: Inside) -> dict[str, float]:
    """Intensity and shape of a region of a patient, however it was chosen; `inside`: (D, H, W) bool.

    Intensities are in grey levels of the prepared image, sizes in mm. The names are the same for every patient;
    features that a region is too small for are NaN. Only the images and the region are used: no labels, no class.
    """
    brain = region_mask(subject, "brain")
    tissue = inside & brain
    problem = subject.problem
    images = dict(zip(problem.names, np.asarray(subject.image, dtype=np.float32), strict=True))
    differences = {f"{one}-{other}": images[one] - images[other] for one, other in problem.differences}
    maps = images | differences
    bright = _bright(images[problem.brightest], tissue)
    found = dict(_shape("region", inside, subject.spacing_mm))
    found |= _shape("bright", bright, subject.spacing_mm)
    for name, image in maps.items():
        found |= _distribution(f"{name}", image[tissue])
        found |= _distribution(f"bright {name}", image[bright])
        found |= _by_shell(f"{name}", image, tissue, inside, subject.spacing_mm)
    for name, image in images.items():
        found |= _roughness(name, image, tissue, subject.spacing_mm)
    for difference in list(differences.values())[:1]:
        found |= _enhancement(difference, tissue, brain)
    return found | _correlations(images, tissue)


def _bright(image: Grey, tissue: Inside) -> Inside:
    """Where an image is above Otsu's threshold of the region: roughly the lesion, where the region is larger than
    it."""
    values = image[tissue]
    if values.size < MIN_VOXELS or np.ptp(values) == 0:
        return np.zeros_like(tissue)
    bright: Inside = tissue & (image > threshold_otsu(values))
    return bright


def _distribution(name: str, values: Grey) -> dict[str, float]:
    heads = ["mean", "sd", "skew", "kurtosis", *(f"p{percentile}" for percentile in PERCENTILES)]
    if values.size < MIN_VOXELS:
        return {f"{name} {head}": float("nan") for head in heads}
    flat = np.ptp(values) == 0  # SciPy gives NaN for a constant, and a warning
    moments = [values.mean(), values.std(), *((0.0, 0.0) if flat else (stats.skew(values), stats.kurtosis(values)))]
    figures = [*moments, *np.percentile(values, PERCENTILES)]
    return {f"{name} {head}": float(figure) for head, figure in zip(heads, figures, strict=True)}


def _by_shell(
    name: str, image: Grey, tissue: Inside, inside: Inside, spacing_mm: tuple[float, ...]
) -> dict[str, float]:
    """Mean of each third of the region by depth below its surface, and core minus rim: it shows a dark core in a bright
    rim."""
    heads = [*(f"shell {number}" for number in range(SHELLS)), "core-rim"]
    if tissue.sum() < MIN_VOXELS:
        return {f"{name} {head}": float("nan") for head in heads}
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1][tissue]
    shells = np.array_split(image[tissue][np.argsort(depth, kind="stable")], SHELLS)
    means = [float(shell.mean()) for shell in shells]
    return dict(zip((f"{name} {head}" for head in heads), [*means, means[-1] - means[0]], strict=True))


def _roughness(name: str, image: Grey, tissue: Inside, spacing_mm: tuple[float, ...]) -> dict[str, float]:
    """Gradient per mm at two scales: how heterogeneous a tumour is."""
    found: dict[str, float] = {}
    for scale_mm in (1.5, 3.0):
        gradient = ndimage.gaussian_gradient_magnitude(image, [scale_mm / side for side in spacing_mm])
        enough = tissue.sum() >= MIN_VOXELS
        found[f"{name} gradient {scale_mm} mean"] = float(gradient[tissue].mean()) if enough else float("nan")
        found[f"{name} gradient {scale_mm} p90"] = (
            float(np.percentile(gradient[tissue], 90)) if enough else float("nan")
        )
    return found


def _enhancement(contrast: Grey, tissue: Inside, brain: Inside) -> dict[str, float]:
    """Proportion of the region whose contrast uptake is above percentiles of the whole brain, and above fixed steps."""
    heads = {f"enhancing above brain p{p}": p for p in (90, 95, 99)}
    steps = (10, 20, 40, 60)
    if tissue.sum() < MIN_VOXELS:
        return dict.fromkeys([*heads, *(f"enhancing above {step}" for step in steps)], float("nan"))
    inside = contrast[tissue]
    share = {head: float(np.mean(inside > np.percentile(contrast[brain], p))) for head, p in heads.items()}
    return share | {f"enhancing above {step}": float(np.mean(inside > step)) for step in steps}


def _correlations(images: Mapping[str, Grey], tissue: Inside) -> dict[str, float]:
    names = list(images)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    if not pairs:
        return {}
    values = np.stack([image[tissue] for image in images.values()])
    if values.shape[1] < MIN_VOXELS or (np.ptp(values, axis=1) == 0).any():
        return {f"{a}~{b}": float("nan") for a, b in pairs}
    correlation = np.asarray(np.corrcoef(values))
    return {f"{a}~{b}": float(correlation[names.index(a), names.index(b)]) for a, b in pairs}


def _shape(name: str, inside: Inside, spacing_mm: tuple[float, float, float]) -> Iterator[tuple[str, float]]:
    """Volume, extents, surface, sphericity, filled proportion of the box, and lengths of the three principal axes."""
    count = int(inside.sum())
    volume = count * float(np.prod(spacing_mm))
    yield f"{name} volume mm3", volume
    heads = ("extent d", "extent h", "extent w", "surface mm2", "sphericity", "filled", "axis 1", "axis 2", "axis 3")
    if count < MIN_VOXELS:
        yield from ((f"{name} {head}", float("nan")) for head in heads)
        return
    places = np.argwhere(inside)
    extents = (np.ptp(places, axis=0) + 1) * np.asarray(spacing_mm)
    vertices, faces, *_ = marching_cubes(np.pad(inside, 1).astype(np.float32), 0.5, spacing=spacing_mm)
    surface = float(mesh_surface_area(vertices, faces))
    sphericity = np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface  # Wadell 1935: 1 is a ball
    variances = np.linalg.eigvalsh(np.cov((places * np.asarray(spacing_mm)).T))
    figures = (*extents, surface, sphericity, volume / extents.prod(), *4 * np.sqrt(np.maximum(variances, 0)))
    yield from ((f"{name} {head}", float(figure)) for head, figure in zip(heads, figures, strict=True))
