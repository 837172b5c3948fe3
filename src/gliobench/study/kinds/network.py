"""Entries of a study file for 3D networks."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gliobench.grid.regions import Region
from gliobench.integrity import file_digest
from gliobench.models.networks import NETWORKS, Intensities
from gliobench.study.kinds.base import Learning, ModelPart, Verb
from gliobench.study.part import Batch, Count, Name, Outside, Part, Rate, Real, Seed, Share, SizeVoxels, Whole
from gliobench.tasks.grade import GRADE
from gliobench.training.settings import TrainSettings, recipe

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground
from gliobench.study.part import check_by


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


class NetworkModel(ModelPart):
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

    trains = True

    kind: Literal["network"]
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
        if self.crop is not None and task != GRADE.name:
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

    @property
    def task(self) -> str:
        """What the network answers."""
        return NETWORKS[self.network].task

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.crop is None or self.crop.around != "truth":
            return {}
        return {"region": f"region: {self.name} looks where the true {study.tumour_word} is"}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.shown import Shown
        from gliobench.models.trained import load_network
        from gliobench.study.shown import shown

        model = load_network(self.folders(context, round), self.name)
        return model if self.crop is None else Shown(model, shown(context, self))

    def folders(self, context: "Context", round: "Round") -> list[Path]:
        """Where the networks lie that answer together in a round. Raises StageError where `weights` holds none."""
        from gliobench.models.trained import DESCRIPTION, another_region
        from gliobench.study.context import StageError

        if self.weights is None:
            return context.folder.networks(self.name, round.folds)
        found = sorted(path.parent for path in self.weights.rglob(DESCRIPTION))
        if not found:
            raise StageError(f"{self.name}: {self.weights} holds no trained network (no {DESCRIPTION} in it)")
        region = context.study.asked_region
        if why := next(filter(None, (another_region(folder, region) for folder in found)), None):
            raise StageError(f"{self.name}: weights: {why}: train one here")
        return found

    @property
    def masks_by(self) -> str | None:
        return self.crop.by if self.crop else None

    @property
    def crop_voxels(self) -> tuple[int, int, int] | None:
        return self.crop.shape if self.crop else None

    @property
    def verb(self) -> Verb | None:
        return None if self.weights else "train"

    def learning(self, context: "Context") -> list[Learning]:
        from gliobench.study.train import network_learning

        return [] if self.weights else network_learning(context, self)

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        from gliobench.study.train import train_network

        if self.weights is None:
            train_network(context, self, number, fold)

    def start_fault(self, fold: "Fold", region: Region) -> str | None:
        from gliobench.study.train import start_fault

        return start_fault(self, fold, region)

    @property
    def swept(self) -> "NetworkModel | None":
        return self if self.weights is None and len(self.sweep) > 1 else None

    def after(self, context: "Context") -> None:
        from gliobench.study.sweeps import test_settings

        test_settings(context, self)

    def trained(self, context: "Context") -> list[str]:
        from gliobench.models.trained import DESCRIPTION

        if self.weights is None:
            return super().trained(context)
        return [file_digest(folder / DESCRIPTION) for folder in self.folders(context, context.rounds[0])]

    @property
    def wants_classical(self) -> bool:
        return self.task == GRADE.name

    @property
    def calibrated(self) -> bool:
        return self.task == GRADE.name

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.network import plan_network

        return plan_network(ground, self)


def train_settings(part: NetworkModel) -> list[TrainSettings]:
    """The network's recipe with what the study file says otherwise; several where it sweeps."""
    settings = replace(recipe(part.network), **part.train.model_dump(exclude_none=True))
    return [replace(settings, **choice.model_dump(exclude_none=True)) for choice in part.sweep] or [settings]
