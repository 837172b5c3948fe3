"""Where a model fails: Dice of its masks for the smallest, the most irregular and multifocal tumours, and by fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import marching_cubes, mesh_surface_area

THIRD = 1 / 3
SMALLEST_PART_ML = 0.1  # smaller components are noise of the annotation, not a second tumour


@dataclass(frozen=True)
class Shape:
    """A tumour's size and form. `sphericity`: 1 for a ball, less for irregular shapes (Wadell 1935). `parts`:
    26-connected components of at least 0.1 ml."""

    volume_ml: float
    sphericity: float
    parts: int


def shape_of(tumour: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> Shape:
    """Size and form of a mask (D, H, W) that is not empty; the surface by marching cubes (scikit-image)."""
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    vertices, faces, _, _ = marching_cubes(np.pad(tumour, 1).astype(np.float32), 0.5, spacing=spacing_mm)
    surface_mm2, volume_mm3 = mesh_surface_area(vertices, faces), tumour.sum() * voxel_ml * 1000
    labels, _ = ndimage.label(tumour, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())[1:] * voxel_ml
    return Shape(
        volume_ml=float(volume_mm3 / 1000),
        sphericity=float(np.pi ** (1 / 3) * (6 * volume_mm3) ** (2 / 3) / surface_mm2),
        parts=max(int((sizes >= SMALLEST_PART_ML).sum()), 1),
    )


def by_shape(dice: pd.DataFrame, shapes: Mapping[str, Shape]) -> pd.DataFrame:
    """Mean Dice by model for all patients and for difficult ones.

    `dice`: columns model, subject, value. Returns model, group, n, mean, median; the smallest and the most irregular
    are a third of the patients each, at least one.
    """
    groups = _groups({subject: shapes[subject] for subject in dict.fromkeys(dice["subject"])})
    return _means(dice, groups)


def by_fold(dice: pd.DataFrame, folds: Mapping[int, Sequence[str]]) -> pd.DataFrame:
    """Mean Dice by model and test fold; columns as in `by_shape`."""
    return _means(dice, {f"fold {number}": list(subjects) for number, subjects in folds.items()})


def _groups(shapes: Mapping[str, Shape]) -> dict[str, list[str]]:
    count = max(round(len(shapes) * THIRD), 1)
    by_volume = sorted(shapes, key=lambda subject: shapes[subject].volume_ml)
    by_form = sorted(shapes, key=lambda subject: shapes[subject].sphericity)
    largest = shapes[by_volume[count - 1]].volume_ml
    return {
        "all": list(shapes),
        f"smallest third (up to {largest:.0f} ml)": by_volume[:count],
        f"most irregular third (sphericity up to {shapes[by_form[count - 1]].sphericity:.2f})": by_form[:count],
        "in several parts": [subject for subject, shape in shapes.items() if shape.parts > 1],
    }


def _means(dice: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    rows = []
    for model, own in dice.groupby("model", sort=False):
        for group, subjects in groups.items():
            values = own.loc[own["subject"].isin(subjects), "value"]
            if len(values):
                rows.append((model, group, len(values), float(values.mean()), float(values.median())))
    return pd.DataFrame(rows, columns=["model", "group", "n", "mean", "median"])
