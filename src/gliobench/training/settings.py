"""How a network learns, and what it says after each epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from gliobench.models.networks import Intensities
from gliobench.ranges import Batch, Count, Decay, Rate, Real, Seed, Share, ShareFromZero, SizeVoxels, Whole


@dataclass(frozen=True)
class TrainSettings:
    """`epochs` at most; stops at a judgement where `patience` epochs have gone by without a better validation metric.

    `learning_rate` of AdamW: rises over `warmup_epochs`, then follows `schedule` down to 0 at the last epoch (`poly`:
    the power 0.9 of what is left), or stays (`constant`). `batch_size` in patients. `weight_decay` as in AdamW.
    `clip_norm`: gradients longer than this are shortened to it; 0 leaves them. `ema`: the share of the old value that
    the averaged weights keep at each step; the averaged weights are judged and kept; 0 averages nothing.
    `loss`: of masks only. `augment`: turned, scaled, mirrored, brighter, noisier (`gliobench.training.augment`).
    `mirror`: where not augmented, half of the patients are mirrored left to right.
    `balance_grades`: each grade is drawn as often as the other, in as many draws as there are patients; `copies`: in
    twice as many as the commoner grade has, so that the rarer is drawn again and nobody is left out.
    `keep`: the weights of the epoch that validates best, or of the last, where `patience` ends nothing early.
    `intensities`: what is seen of a patient (`gliobench.models.networks.input.as_input`).
    `threshold`: a voxel or a patient is positive from this probability on, which is then not calibrated, and no part of
    a mask is dropped; None: validation patients choose all of this.
    `patch`: masks are learnt from cubes of this shape (D, H, W) and answered by a sliding window; None takes the whole
    grid. `validate_every`: epochs between judgements; the last epoch is always judged.
    `precision` "auto": bfloat16 where the hardware multiplies it. `device` "auto" takes a GPU where there is one;
    `devices`: how many, one process each, patients dealt out among them.
    """

    epochs: Count = 150
    learning_rate: Rate = 2e-3
    batch_size: Batch = 1
    patience: Count = 50
    schedule: Literal["constant", "cosine", "poly"] = "cosine"
    warmup_epochs: Annotated[Whole, Field(ge=0, le=1_000_000)] = 3
    weight_decay: Decay = 1e-4
    clip_norm: Annotated[Real, Field(ge=0, le=1e6)] = 5.0
    ema: ShareFromZero = 0.995
    loss: Literal["dice", "dice-bce"] = "dice-bce"
    augment: bool = True
    mirror: bool = True
    balance_grades: bool | Literal["copies"] = False
    keep: Literal["best", "last"] = "best"
    intensities: Intensities = "z-score"
    threshold: Share | None = None
    patch: tuple[SizeVoxels, SizeVoxels, SizeVoxels] | None = None
    validate_every: Count = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: Seed = 0
    device: str = "auto"
    devices: Annotated[Whole, Field(ge=1, le=1024)] = 1


def draws(grades: Sequence[int | None], settings: TrainSettings) -> int:
    """How many patients an epoch draws, of training patients by their grades."""
    counts = [grades.count(grade) for grade in {*grades} - {None}]
    if settings.balance_grades != "copies" or not counts:
        return len(grades)
    return max(counts) * len(counts) + grades.count(None)


LATER = (
    "mirror",
    "keep",
    "intensities",
    "threshold",
)  # keys that came later: at their default they mean what was meant before


def recorded(settings: TrainSettings) -> dict[str, Any]:
    """The settings as fingerprints take them: earlier trainings stay valid where nothing was set otherwise."""
    default = TrainSettings()
    return {key: value for key, value in asdict(settings).items() if key not in LATER or value != getattr(default, key)}


# As the reference study trained: Adam at one rate, soft Dice, nothing averaged, nothing turned but left and right.
_STUDY = TrainSettings(
    epochs=60,
    learning_rate=1e-3,
    patience=15,
    schedule="constant",
    warmup_epochs=0,
    weight_decay=0.0,
    clip_norm=0.0,
    ema=0.0,
    loss="dice",
    augment=False,
    precision="float32",  # bfloat16 makes these narrow networks slower
)
_STUDY_GRADES = replace(_STUDY, learning_rate=1e-4, batch_size=4, balance_grades=True)

RECIPES: Mapping[str, TrainSettings] = {
    "mask-segmenter": _STUDY,
    "mask-segmenter-as-coded": _STUDY,
    "grade-classifier": _STUDY_GRADES,
    "grade-classifier-as-coded": _STUDY_GRADES,
    "grade-resnet": TrainSettings(epochs=60, learning_rate=5e-4, batch_size=8, patience=20, balance_grades=True),
    "grade-densenet": TrainSettings(epochs=60, learning_rate=5e-4, batch_size=8, patience=20, balance_grades=True),
}
DEFAULT = TrainSettings()


def recipe(network: str) -> TrainSettings:
    """How a network is trained where the study file says nothing else."""
    return RECIPES.get(network, DEFAULT)


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch, counted from 0. `validation_metric`: larger is better; of the last judgement, where this
    epoch had none. `learning_rate`: at its last step. `train_score`, `validation_score`: accuracy of a grade, Dice of a
    mask, at probability 0.5: of the epoch's draws as they were learnt from, and of the validation patients at its last
    judgement; NaN in the history of earlier versions."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    validation_metric: float
    learning_rate: float
    seconds: float
    train_score: float = math.nan
    validation_score: float = math.nan
