"""Four contrasts of one head as from a scanner: inhomogeneous, noisy, in arbitrary units."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliobench.cohort.phantom.anatomy import CSF, GREY, OUTSIDE, WHITE, Anatomy
from gliobench.cohort.phantom.noise import Field, smooth_noise
from gliobench.cohort.phantom.tumour import CORE, ENHANCING, OEDEMA, Habit
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.subject import HGG

TISSUES = {  # relative signal of fluid, grey and white matter
    "flair": {CSF: 0.18, GREY: 0.66, WHITE: 0.54},
    "t1": {CSF: 0.38, GREY: 0.74, WHITE: 1.0},
    "t1ce": {CSF: 0.40, GREY: 0.76, WHITE: 1.0},
    "t2": {CSF: 1.15, GREY: 0.60, WHITE: 0.44},
}
TUMOUR = {  # of core, oedema and enhancing tumour, high grade; a low grade's core is set below
    "flair": {CORE: 0.62, OEDEMA: 1.05, ENHANCING: 0.92},
    "t1": {CORE: 0.50, OEDEMA: 0.68, ENHANCING: 0.70},
    "t1ce": {CORE: 0.52, OEDEMA: 0.70, ENHANCING: 1.45},
    "t2": {CORE: 1.05, OEDEMA: 0.95, ENHANCING: 0.75},
}
LOW_GRADE_CORE = {"flair": 0.95, "t1": 0.60, "t1ce": 0.62, "t2": 1.0}
BLUR_MM = 0.7
NOISE = (0.02, 0.045)  # standard deviation relative to white matter's signal in T1


def scan(
    random: np.random.Generator, anatomy: Anatomy, labels: NDArray[np.uint8], habit: Habit, grade: int
) -> dict[str, NDArray[np.int16]]:
    """The modalities by name, (X, Y, Z) int16, exactly 0 outside the brain."""
    brain = anatomy.tissue != OUTSIDE
    spots = _white_matter_spots(random, anatomy)
    texture = 1 + 0.04 * smooth_noise(random, anatomy.tissue.shape, 3, anatomy.spacing_mm)
    images = {}
    for modality in GLIOMA.names:
        signal = _signal(modality, anatomy, labels, habit, grade)
        if modality in ("flair", "t2"):
            signal += 0.25 * spots
        signal = ndimage.gaussian_filter(signal * texture, BLUR_MM / anatomy.spacing_mm)
        signal *= np.exp(
            random.uniform(0.05, 0.13) * smooth_noise(random, anatomy.tissue.shape, 55, anatomy.spacing_mm)
        )
        deviation = random.uniform(*NOISE)
        noise = deviation * random.standard_normal((2, *signal.shape), dtype=np.float32)
        measured = np.hypot(signal + noise[0], noise[1])  # Rician: the magnitude of a complex signal
        gain = random.lognormal(np.log(450), 0.35)
        images[modality] = np.where(brain, np.maximum(np.rint(gain * measured), 1), 0).astype(np.int16)
    return images


def _signal(modality: str, anatomy: Anatomy, labels: NDArray[np.uint8], habit: Habit, grade: int) -> Field:
    """The noiseless signal; the tumour's edge fades over some millimetres."""
    table = np.zeros(4, np.float32)
    for tissue, value in TISSUES[modality].items():
        table[tissue] = value
    healthy = table[anatomy.tissue]
    values = dict(TUMOUR[modality])
    if grade != HGG:
        values[CORE] = LOW_GRADE_CORE[modality]
    white = TISSUES[modality][WHITE]
    strength = habit.enhancement if modality == "t1ce" else 1.0
    values[ENHANCING] = white * 0.7 + strength * (values[ENHANCING] - white * 0.7)
    tumour = np.zeros(5, np.float32)
    for label, value in values.items():
        tumour[label] = white + (habit.brightness if modality in ("flair", "t2") else 1.0) * (value - white)
    tumour[ENHANCING] = values[ENHANCING]
    share = ndimage.gaussian_filter((labels > 0).astype(np.float32), 1.2 / anatomy.spacing_mm)
    ill = np.where(labels > 0, tumour[labels], healthy)
    mixed: Field = healthy + np.where(labels > 0, np.maximum(share, 0.35), share * 0.4) * (
        np.where(labels > 0, ill, tumour[OEDEMA]) - healthy
    )
    return mixed


def _white_matter_spots(random: np.random.Generator, anatomy: Anatomy) -> Field:
    """Small bright spots and caps around the ventricles that are not tumour, as found with age."""
    spots = smooth_noise(random, anatomy.tissue.shape, 3, anatomy.spacing_mm) > random.uniform(2.6, 3.4)
    deep = (anatomy.tissue == WHITE) & (anatomy.depth_mm > 10)
    caps = ndimage.binary_dilation(
        (anatomy.tissue == CSF) & (anatomy.depth_mm > 25), iterations=max(round(2 / anatomy.spacing_mm), 1)
    )
    found: Field = ((spots | caps) & deep).astype(np.float32)
    return found
