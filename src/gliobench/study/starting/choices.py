"""What a first study file says: the problem as the voxels show it, and a grid that suits them."""

from dataclasses import replace

import numpy as np

from gliobench.cohort.problem import NamedRegion, Problem
from gliobench.study.starting.survey import Survey

CT_BELOW = -500.0  # Hounsfield units: air; no other modality has such values
LUNG_WINDOW = (-1000.0, 400.0)
BACKGROUND = 0.1  # of a volume's voxels, at least, where the body is not everything
MOST_REGIONS = 8  # labels; more are numbers of single lesions
MOST_VOXELS = 2_000_000
FITTING = 90  # percent of the scans
MULTIPLE, FEWEST, MOST = 8, 16, 512  # voxels along an axis of the grid


def chosen_problem(problem: Problem, survey: Survey) -> Problem:
    """The drafted problem with windows of CT, regions by the labels found, its body, and whether the target may be
    absent."""
    windows = {image.name: LUNG_WINDOW for image in problem.images if is_ct(image.name, survey)}
    images = tuple(replace(image, window=windows.get(image.name)) for image in problem.images)
    background = float(np.median([look.background for look in survey.looks.values()]))
    return replace(
        problem,
        images=images,
        regions=problem.regions or _regions(survey, problem.target),
        body="foreground" if background >= BACKGROUND else "everything",
        absent="allowed" if survey.empty else "refused",
        positive=problem.classes[-1] if len(problem.classes) == 2 else "",
    )


def is_ct(image: str, survey: Survey) -> bool:
    """Whether most scans have values of air in Hounsfield units."""
    return float(np.median([look.lowest[image] for look in survey.looks.values()])) < CT_BELOW


def _regions(survey: Survey, target: str) -> tuple[NamedRegion, ...]:
    labels = list(survey.labels)
    if len(labels) > MOST_REGIONS:
        return ()
    return tuple(NamedRegion(target if len(labels) == 1 else f"region-{label}", (label,)) for label in labels)


def chosen_shape(problem: Problem, survey: Survey) -> tuple[int, int, int]:
    """A grid (D, H, W) at the median spacing, isotropic, with at most about 2 million voxels, that nine of ten scans
    fit into; larger ones are shown at a coarser spacing."""
    looks = survey.looks.values()
    extents = [look.whole_mm if problem.body == "everything" else look.extent_mm for look in looks]
    extent_mm = np.percentile(extents, FITTING, axis=0)
    spacing_mm = float(np.median([look.spacing_mm for look in looks]))
    spacing_mm = max(spacing_mm, (float(np.prod(extent_mm)) / MOST_VOXELS) ** (1 / 3))
    sizes = np.clip(np.rint(extent_mm / spacing_mm / MULTIPLE) * MULTIPLE, FEWEST, MOST).astype(int)
    depth, height, width = sizes.tolist()
    return depth, height, width
