"""Entries of a study file for 3D networks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from gliobench.grid.regions import REGION_SETS, Region
from gliobench.integrity import file_digest
from gliobench.models.base.of_regions import inner_region, told_apart
from gliobench.models.networks import NETWORKS
from gliobench.ranges import SizeVoxels
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.base import ModelConfig, Scope
from gliobench.study.kinds.learning import Learning, Verb
from gliobench.study.parts.base import Config, Name, Outside, check_by, departures
from gliobench.tasks.grade import GRADE
from gliobench.training.settings import TrainSettings, recipe

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import Missing, ModelPlan, Step
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.plan.networks import NetworkSize
    from gliobench.study.state.context import Context, Round

LOG_PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


class TrainConfig(departures(TrainSettings, without=["device"])):  # type: ignore[misc]
    """How a network learns, where it departs from its recipe."""

    LATER: ClassVar = frozenset({"intensities", "threshold"})


class CropConfig(Config):
    """A box of `shape` (D, H, W) voxels of the grid around a tumour: the one that the model `by` found in a patient it
    did not learn from, or with `around: truth` the true one (an oracle)."""

    around: Literal["predicted", "truth"] = "predicted"
    by: Name | None = None
    shape: tuple[SizeVoxels, SizeVoxels, SizeVoxels]

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("around", self.around, self.by)
        return self


class NetworkConfig(ModelConfig):
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
    own_camp: ClassVar[Camp] = "specialised"

    kind: Literal["network"]
    network: Name
    regions: Literal["whole", "brats"] = "whole"
    train: TrainConfig = TrainConfig()
    sweep: tuple[TrainConfig, ...] = ()
    sweep_test: Literal["chosen", "all"] = "chosen"
    log: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()
    crop: CropConfig | None = None
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

    def check(self, study: "Study") -> None:
        for key, shape in self._inputs(study):
            if needs := NETWORKS[self.network].too_small(shape):
                raise ValueError(
                    f"models: {self.name}: {self.network} needs {needs}, and {key} has {' x '.join(map(str, shape))}: "
                    "give it more, or take another network"
                )

    def _inputs(self, study: "Study") -> "Iterator[tuple[str, tuple[int, int, int]]]":
        """What it is given at once, (D, H, W), behind the key that says so."""
        yield ("crop", self.crop.shape) if self.crop else ("grid", study.grid.shape)
        yield from (("patch", one.patch) for one in train_settings(self) if one.patch)

    @property
    def hardware_is_known(self) -> bool:
        return all(one.devices == 1 for one in train_settings(self))  # processes of their own otherwise

    @property
    def task(self) -> str:
        """What the network answers."""
        return NETWORKS[self.network].task

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.crop is None or self.crop.around != "truth":
            return {}
        return {"region": f"region: {self.name} looks where the true {study.tumour_word} is"}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.base.region_of_interest import RegionOfInterest
        from gliobench.models.networks.trained import load_network
        from gliobench.study.asking.region_of_interest import shown

        model = load_network(self.folders(context, round), self.name)
        if self.regional:
            return told_apart(model, self.problem, self.regional)
        return model if self.crop is None else RegionOfInterest(model, shown(context, self))

    def folders(self, context: "Context", round: "Round") -> list[Path]:
        """Where the networks lie that answer together in a round. Raises StageError where `weights` holds none."""
        from gliobench.models.networks.description import DESCRIPTION, another_problem, another_region
        from gliobench.study.state.context import StageError

        if self.weights is None:
            return context.folder.networks(self.name, round.folds)
        found = sorted(path.parent for path in self.weights.rglob(DESCRIPTION))
        if not found:
            raise StageError(f"{self.name}: {self.weights} holds no trained network (no {DESCRIPTION} in it)")
        region = context.study.asked_region
        faults = (another_problem(one, self.problem) or another_region(one, region) for one in found)
        if why := next(filter(None, faults), None):
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
        from gliobench.study.stages.train import network_learning

        return [] if self.weights else network_learning(context, self)

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        from gliobench.study.stages.train import train_network

        if self.weights is None:
            train_network(context, self, number, fold)

    def seeded(self, number: int) -> Self | None:
        if self.weights is not None or any(one.seed is not None for one in self.sweep):
            return None
        seed = train_settings(self)[0].seed + number
        return self.model_copy(update={"train": self.train.model_copy(update={"seed": seed})})

    def start_fault(self, fold: "Fold", region: Region) -> str | None:
        from gliobench.study.stages.train import start_fault

        return start_fault(self, fold, region)

    @property
    def swept(self) -> "NetworkConfig | None":
        return self if self.weights is None and len(self.sweep) > 1 else None

    def after(self, context: "Context") -> None:
        from gliobench.study.stages.sweeps import test_settings

        test_settings(context, self)

    def trained(self, context: "Context") -> list[str]:
        from gliobench.models.networks.description import DESCRIPTION

        if self.weights is None:
            return super().trained(context)
        return [file_digest(folder / DESCRIPTION) for folder in self.folders(context, context.rounds[0])]

    def validated(self, context: "Context", fold: int) -> Mapping[str, float]:
        from gliobench.study.stages.in_sample import validation_figures

        return {} if self.weights else validation_figures(context.folder.network(self.name, fold))

    @property
    def wants_classical(self) -> bool:
        return self.task == GRADE.name

    @property
    def calibrated(self) -> bool:
        return self.task == GRADE.name

    @property
    def scope(self) -> Scope:
        return Scope(frozenset({self.task, *self.regional}), False)

    def tells_region_of(self, task: str) -> bool:
        return self.regions == "brats" and inner_region(self.problem, task) is not None

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """Its training on every fold in use, and its answers."""
        from gliobench.study.plan.estimates import Files, gib
        from gliobench.study.plan.networks import network_size
        from gliobench.study.stages.train import known_validation

        seen = self.crop_voxels or plan_inputs.context.study.grid.shape
        whole = network_size(self.network, seen, len(self.problem.images), self._outputs)
        counted = plan_inputs.counted(self, missing=self._missing(plan_inputs))
        answering = self._answering(plan_inputs, counted.steps[0], whole)
        if self.weights is not None:
            return replace(counted, steps=(answering,), said=())
        kept = len(plan_inputs.folds) * len(train_settings(self)) * 4 * 5 * whole.parameters
        files = Files(f"weights and state of {self.name}", str(plan_inputs.context.folder.root / "networks"), gib(kept))
        known = () if counted.missing else dict.fromkeys(known_validation(self, fold) for fold in plan_inputs.folds)
        said = tuple(f"{self.name}: {sentence}." for sentence in known if sentence)
        return replace(counted, steps=(self._learning(plan_inputs, whole), answering), files=(files,), said=said)

    @property
    def _outputs(self) -> int:
        return NETWORKS[self.network].outputs(len(self.problem.classes), len(REGION_SETS[self.regions]))

    @property
    def _mirrored(self) -> int:
        """How often it looks at a patient that it is asked about: mirrored along every axis, or once."""
        return 8 if train_settings(self)[0].augment else 1

    def _learning(self, plan_inputs: "PlanInputs", whole: "NetworkSize") -> "Step":
        from gliobench.study.plan.estimates import Estimate, Step, gib, hours
        from gliobench.study.plan.networks import LEARN, network_size, training_bytes
        from gliobench.study.stages.in_sample import MOST
        from gliobench.training.settings import draws

        known = [
            [[plan_inputs.counts.patients[id] for id in ids] for ids in (fold.train, fold.validation)]
            for fold in plan_inputs.folds
        ]
        taught = [[[one.grade for one in ids if one.teaches(self.task)] for ids in fold] for fold in known]
        operations, memory = 0.0, 0.0
        for settings in train_settings(self):
            seen = (
                network_size(self.network, settings.patch, len(self.problem.images), self._outputs)
                if settings.patch
                else whole
            )
            memory = max(memory, training_bytes(seen, settings.batch_size))
            for learn, check in taught:
                each = draws(learn, settings) * LEARN * seen.operations
                operations += settings.epochs * (each + len(check) * whole.operations / settings.validate_every)
        if plan_inputs.context.keeps_in_sample:  # figures, of the settings that are kept
            in_sample = sum(min(len(learn), MOST) + len(check) for learn, check in taught)
            operations += in_sample * self._mirrored * whole.operations
        return Step(
            "train",
            self.name,
            Estimate(max((len(learn) for learn, _ in taught), default=0), plan_inputs.counts.basis),
            gpu_memory_gib=gib(memory),
            hours_here=plan_inputs.trained(self.name, operations / plan_inputs.here.flops32),
            hours_there=hours(operations / plan_inputs.there.flops32),
        )

    def _answering(self, plan_inputs: "PlanInputs", step: "Step", whole: "NetworkSize") -> "Step":
        from gliobench.study.plan.estimates import gib, hours

        together = 1 if len(plan_inputs.counts.rounds) > 1 else len(plan_inputs.folds)
        asked = 1 + len(self.sweep) if self.sweep_test == "all" else 1
        work = len(plan_inputs.tested_on(self.task)) * self._mirrored * together * asked * whole.operations
        return replace(
            step,
            gpu_memory_gib=gib(4 * whole.parameters + 2 * whole.outputs),
            hours_here=step.hours_here or hours(work / plan_inputs.here.flops32),
            hours_there=hours(work / plan_inputs.there.flops32),
        )

    def _missing(self, plan_inputs: "PlanInputs") -> "Iterator[Missing]":
        from gliobench.models.base.errors import ModelError
        from gliobench.study.plan.estimates import Missing

        for name in self.log:
            if find_spec(LOG_PACKAGES[name]) is None:
                yield Missing(self.name, f"log: {name} needs a package: pip install 'gliobench[{name}]'")
        if self.weights is not None:
            return
        yield from plan_inputs.untaught(self.name, plan_inputs.folds, lambda one: one.teaches(self.task))
        try:
            faults = dict.fromkeys(
                self.start_fault(fold, plan_inputs.context.study.asked_region) for fold in plan_inputs.folds
            )
        except ModelError as error:
            faults = {f"start: {error}": None}
        yield from (Missing(self.name, fault) for fault in faults if fault)


def train_settings(config: NetworkConfig) -> list[TrainSettings]:
    """The network's recipe with what the study file says otherwise; several where it sweeps."""
    settings = replace(recipe(config.network), **config.train.model_dump(exclude_none=True))
    return [replace(settings, **choice.model_dump(exclude_none=True)) for choice in config.sweep] or [settings]
