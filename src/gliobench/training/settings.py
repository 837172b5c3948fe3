"""How a network is trained, and what is reported after each epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from gliobench.models.networks import Intensities
from gliobench.ranges import Batch, Count, Decay, Rate, Real, Seed, Share, ShareFromZero, SizeVoxels, Whole


@dataclass(frozen=True)
class TrainSettings:
    """`epochs` at most; stops at an evaluation after `patience` epochs without a better validation metric.

    `learning_rate` of AdamW: rises over `warmup_epochs`, then follows `schedule` down to 0 at the last epoch (`poly`:
    the power 0.9 of the remaining fraction), or stays (`constant`). `batch_size` in patients. `weight_decay` as in
    AdamW. `clip_norm`: gradients longer than this are shortened to it; 0 leaves them. `ema`: the decay of the averaged
    weights per step; the averaged weights are evaluated and kept; 0 averages nothing. `loss`: of masks only. `augment`:
    rotation, scaling, mirroring, brightness, noise (`gliobench.training.augment`). `mirror`: where not augmented, half
    of the patients are mirrored left to right. `balance_grades`: each grade is drawn as often as the other, in as many
    draws as there are patients; `copies`: in twice as many as the commoner grade has, so that the rarer is repeated and
    none is left out. `keep`: the weights of the epoch that validates best, or of the last, without early stopping.
    `intensities`: the network's input (`gliobench.models.networks.input.as_input`). `threshold`: a voxel or a patient
    is positive at and above this probability, which is then not calibrated, and no component of a mask is dropped;
    None: all of this is chosen on validation patients. `patch`: masks are trained on patches of this shape (D, H, W)
    and predicted by a sliding window; None: the whole grid. `validate_every`: epochs between evaluations; the last
    epoch is always evaluated. `precision` "auto": bfloat16 where the hardware supports it. `device` "auto" takes a GPU
    where there is one; `devices`: how many, one process each, which share the patients.
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
    """Draws per epoch, from the grades of the training patients."""
    counts = [grades.count(grade) for grade in {*grades} - {None}]
    if settings.balance_grades != "copies" or not counts:
        return len(grades)
    return max(counts) * len(counts) + grades.count(None)


LATER = (
    "mirror",
    "keep",
    "intensities",
    "threshold",
)  # keys of later versions: their defaults mean the earlier behaviour


def recorded(settings: TrainSettings) -> dict[str, Any]:
    """The settings in fingerprints: earlier trainings stay valid where later keys have their defaults."""
    default = TrainSettings()
    return {key: value for key, value in asdict(settings).items() if key not in LATER or value != getattr(default, key)}


# The reference study's training: Adam at a constant rate, soft Dice, no averaging, only left-right mirroring.
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
    """The default training settings of a network."""
    return RECIPES.get(network, DEFAULT)


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch, counted from 0. `validation_metric`: larger is better; of the last evaluation, where this
    epoch had none. `learning_rate`: at its last step. `train_score`, `validation_score`: accuracy of a grade, Dice of a
    mask, at probability 0.5: of the epoch's draws during training, and of the validation patients at the last
    evaluation; NaN in the history of earlier versions."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    validation_metric: float
    learning_rate: float
    seconds: float
    train_score: float = math.nan
    validation_score: float = math.nan
