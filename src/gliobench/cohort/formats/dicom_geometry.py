"""Whether DICOM slices make one volume, or what is wrong with their positions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.formats.stored import VolumeError

SAME_DIRECTION = 1e-4  # of direction cosines, as writers round them: 0.03 mm at the far side of a head
SAME_PLACE_MM = 0.01  # closer slices have one position
DRIFT_MM = 0.1  # of a slice sideways, relative to the first; more is a tilt
UNEVEN = 0.02  # how far a distance between slices may differ from the usual one, as a proportion of it
NAMED = 3  # gaps, in a message


def check_stack(names: Sequence[str], positions: NDArray[np.float64], orientations: NDArray[np.float64]) -> None:
    """Raise VolumeError where slices are not parallel, evenly spaced and stacked along their normal.

    `positions`: (N, 3), ImagePositionPatient in mm; `orientations`: (N, 6), ImageOrientationPatient.
    """
    if len(names) < 2:
        raise VolumeError("one slice: expected a volume of several")
    turned = np.abs(orientations - orientations[0]).max(axis=1) > SAME_DIRECTION
    if turned.any():
        raise VolumeError(
            f"slices in different directions ({names[0]} and {names[int(np.argmax(turned))]}): a localiser? "
            "expected one stack of parallel slices"
        )
    row, column = orientations[0, :3], orientations[0, 3:]
    if abs(row @ column) > SAME_DIRECTION or not np.allclose([row @ row, column @ column], 1, atol=SAME_DIRECTION * 10):
        raise VolumeError(f"rows and columns are not at right angles: {orientations[0].tolist()}")
    normal = np.cross(row, column)
    along = positions @ normal
    _check_spacing(names, along)
    order = np.argsort(along)
    sideways = positions - positions[order[0]] - np.outer(along - along[order[0]], normal)
    if (drift := float(np.linalg.norm(sideways, axis=1).max())) > DRIFT_MM:
        raise VolumeError(
            f"the slices shift sideways by {drift:.2f} mm along the stack (gantry tilt?): resample the scan onto "
            "orthogonal axes, for example with dcm2niix"
        )


def _check_spacing(names: Sequence[str], along: NDArray[np.float64]) -> None:
    """`along`: (N,), the slices' positions along their normal in mm."""
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    if (same := steps < SAME_PLACE_MM).any():
        first = int(np.argmax(same))
        pair = f"{names[order[first]]} and {names[order[first + 1]]}"
        raise VolumeError(
            f"{int(same.sum()) + 1} of {len(names)} slices share positions ({pair}): several volumes (echoes, times)? "
            "expected one"
        )
    usual = float(np.median(steps))
    wrong = np.flatnonzero(np.abs(steps - usual) > UNEVEN * usual)
    if wrong.size:
        gaps = [f"{steps[i]:.4g} mm between {names[order[i]]} and {names[order[i + 1]]}" for i in wrong[:NAMED]]
        missing = np.allclose(steps / usual, np.rint(steps / usual), atol=UNEVEN)
        problem = "a slice is missing" if missing else "uneven spacing"
        raise VolumeError(f"{problem}: slices are {usual:.4g} mm apart, but {', '.join(gaps)}")
