"""The largest bright region in one image, such as FLAIR of gliomas."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import region_mask
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK

SMOOTHING_MM = 2.0  # of the Gaussian: noise must not split a tumour into fragments
QUANTILES = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97, 0.98, 0.99)


def flair_blob(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """`bright_blob` of gliomas, whose brightest image is FLAIR. Raises ModelError for patients without that."""
    if train and train[0].problem.brightest != "flair":
        raise ModelError("flair-blob: these patients are no gliomas; use the baseline bright-blob")
    return _blobs("flair-blob", train)


def bright_blob(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """The largest connected component above a quantile of the body in the image where the target is the brightest."""
    return _blobs("bright-blob", train)


def _blobs(name: str, train: Sequence[PreparedSubject]) -> Rule:
    """Uses the quantile with the best mean Dice of the whole target on the training patients, whatever region is asked
    about: of gliomas oedema is the brightest in FLAIR. Raises ModelError where none has a mask."""
    learn = [subject for subject in train if subject.labels is not None]
    if not learn:
        raise ModelError(f"{name}: no training patient has a mask to choose the threshold on")
    dice = np.mean([_dice_by_quantile(subject) for subject in learn], axis=0)
    quantile = QUANTILES[int(np.argmax(dice))]

    def answer(question: Question) -> VolumeMask:
        return VolumeMask(_blob(_smoothed(question.subject), question.subject, quantile))

    return Rule(name, frozenset({MASK.name}), False, {"quantile": quantile, "smoothing_mm": SMOOTHING_MM}, answer)


def _dice_by_quantile(subject: PreparedSubject) -> list[float]:
    assert subject.labels is not None
    image, tumour = _smoothed(subject), region_mask(subject.labels, "whole")
    blobs = (_blob(image, subject, quantile) for quantile in QUANTILES)
    return [2 * np.count_nonzero(blob & tumour) / (np.count_nonzero(blob) + np.count_nonzero(tumour)) for blob in blobs]


def _smoothed(subject: PreparedSubject) -> NDArray[np.float32]:
    image = np.asarray(subject.image_of(subject.problem.brightest), dtype=np.float32)
    smoothed: NDArray[np.float32] = ndimage.gaussian_filter(image, SMOOTHING_MM / np.asarray(subject.spacing_mm))
    return smoothed


def _blob(image: NDArray[np.float32], subject: PreparedSubject, quantile: float) -> NDArray[np.bool_]:
    body = subject.image_of(subject.problem.brightest) > 0
    if not body.any():
        return np.zeros(subject.shape, dtype=bool)
    components, _ = ndimage.label(body & (image > np.quantile(image[body], quantile)))
    sizes = np.bincount(components.ravel())
    sizes[0] = 0  # the background
    largest: NDArray[np.bool_] = (components == sizes.argmax()) & (components > 0)
    return largest
