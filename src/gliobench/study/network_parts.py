"""Entries of a study file for models that learn from whole patients: 3D networks and the classical baseline."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gliobench.models.networks import NETWORKS, Intensities
from gliobench.study.part import Batch, Count, Name, Names, Outside, Part, Rate, Real, Seed, Share, SizeVoxels, Whole
from gliobench.training.settings import TrainSettings, recipe

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


def check_by(key: str, choice: str, by: str | None) -> None:
    """Raise ValueError where a mask model is named without need, or needed and not named."""
    if (choice == "predicted") != (by is not None):
        raise ValueError(f"`by` names the model whose masks are looked at: give it with `{key}: predicted` only")


class TrainPart(Part):
    """How a network learns, where it departs from its recipe; see `gliobench.training.settings.TrainSettings`."""

    LATER: ClassVar = frozenset({"intensities", "threshold"})

    epochs: Count | None = None
    learning_rate: Rate | None = None
    batch_size: Batch | None = None
    patience: Count | None = None
    schedule: Literal["constant", "cosine", "poly"] | None = None
    warmup_epochs: Whole | None = Field(default=None, ge=0, le=1_000_000)
    weight_decay: Real | None = Field(default=None, ge=0, le=10)
    clip_norm: Real | None = Field(default=None, ge=0, le=1e6)
    ema: Real | None = Field(default=None, ge=0, lt=1)
    loss: Literal["dice", "dice-bce"] | None = None
    augment: bool | None = None
    mirror: bool | None = None
    balance_grades: bool | Literal["copies"] | None = None
    keep: Literal["best", "last"] | None = None
    intensities: Intensities | None = None
    threshold: Share | None = None
    patch: tuple[SizeVoxels, SizeVoxels, SizeVoxels] | None = None
    validate_every: Count | None = None
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    devices: Whole | None = Field(default=None, ge=1, le=1024)
    seed: Seed | None = None


class CropPart(Part):
    """A box of `shape` (D, H, W) voxels of the grid around a tumour: the one that the model `by` found in a patient it
    did not learn from, or with `around: truth` the true one (an oracle)."""

    around: Literal["predicted", "truth"] = "predicted"
    by: Name | None = None
    shape: tuple[SizeVoxels, SizeVoxels, SizeVoxels]

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("around", self.around, self.by)
        return self


class NetworkModel(Part):
    """A 3D network of `gliobench.models.networks`.

    It learns from the training patients of each fold in use; or, with `weights`, it was trained before: the folder of
    one network, or of several that answer together, such as `runs/other/networks/segresnet`. `start` is the folder of a
    trained network to learn on from. `regions: brats` tells tumour core and enhancing tumour apart. `crop`, for grades
    only: it sees a box around the tumour. With `sweep` a network is trained for each of the choices, and the one that
    is best on the validation patients answers: no choice is made on the test patients, who are not opened before.
    `sweep_test: all` asks every choice about the test patients too, for the report's table of settings and no other.
    `log`: where else the curves go (`curves.csv` is always written); each needs its own package.
    """

    LATER: ClassVar = frozenset({"sweep_test"})

    kind: Literal["network"]
    name: Name
    network: Name
    regions: Literal["whole", "brats"] = "whole"
    train: TrainPart = TrainPart()
    sweep: tuple[TrainPart, ...] = ()
    sweep_test: Literal["chosen", "all"] = "chosen"
    log: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()
    crop: CropPart | None = None
    weights: Outside | None = None
    start: Outside | None = None

    @model_validator(mode="after")
    def _the_network_is_known(self) -> Self:
        if self.network not in NETWORKS:
            raise ValueError(f"network: no network is named {self.network!r}; there are {', '.join(NETWORKS)}")
        task = NETWORKS[self.network].task
        if self.crop is not None and task != "grade":
            raise ValueError(f"crop: {self.network} answers the task {task} about whole patients")
        return self

    @model_validator(mode="after")
    def _there_is_a_sweep_to_test(self) -> Self:
        if self.sweep_test == "all" and (len(self.sweep) < 2 or self.weights is not None):
            raise ValueError("sweep_test: all tests every choice of a `sweep:` that is trained, and here is none")
        return self

    @model_validator(mode="after")
    def _augmentation_is_of_z_scores(self) -> Self:
        for one in train_settings(self):
            if one.augment and one.intensities != "z-score":
                raise ValueError(
                    "train: augment changes brightness in standard deviations, which prepared `intensities` are not: "
                    "give `augment: false`, or leave out `intensities`"
                )
        return self


def train_settings(part: NetworkModel) -> list[TrainSettings]:
    """The network's recipe with what the study file says otherwise; several where it sweeps."""
    settings = replace(recipe(part.network), **part.train.model_dump(exclude_none=True))
    return [replace(settings, **choice.model_dump(exclude_none=True)) for choice in part.sweep] or [settings]


class NnUNetModel(Part):
    """nnU-Net v2 by its own planning, training and prediction; `planner`, `configuration` and `trainer` are its names.

    `python`: an interpreter that has nnU-Net, where ours has not.
    """

    kind: Literal["nnunet"]
    name: Name
    regions: Literal["whole", "brats"] = "whole"
    planner: ClassName = "ExperimentPlanner"
    configuration: Literal["2d", "3d_fullres", "3d_lowres"] = "3d_fullres"
    trainer: ClassName = "nnUNetTrainer"
    epochs: Count = 1000
    iterations: Count = 250
    python: Outside | None = None


class ClassicalModel(Part):
    """Features by hand and scikit-learn, fitted on the training patients of the fold: the classical grade baseline.

    `region`: where it looks: the whole prepared `crop`, its `brain`, the tumour that the model `by` found in patients
    it did not learn from (`predicted`), or the true tumour (`truth`, an oracle).
    """

    kind: Literal["classical"]
    name: Name
    region: Literal["crop", "brain", "predicted", "truth"] = "brain"
    by: Name | None = None

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("region", self.region, self.by)
        return self


class TogetherModel(Part):
    """Grade models of the study, by name, that answer together: the mean of their calibrated probabilities."""

    kind: Literal["together"]
    name: Name
    of: Names = Field(min_length=2)


def mask_model(part: Part) -> str | None:
    """The model of the study whose masks say where `part` looks; None where none does."""
    if isinstance(part, NetworkModel):
        return part.crop.by if part.crop else None
    return part.by if isinstance(part, ClassicalModel) else None
