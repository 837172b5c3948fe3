"""What a kind of model is to a study: all that its stages ask of an entry, whatever kind it is.

A kind is a class: its entry in a study file, and its knowledge in methods. Stages, plan and report know this class
alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import PrivateAttr

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.regions import Region
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.costs import CostHooks
from gliobench.study.kinds.learning import LearningHooks
from gliobench.study.kinds.spoken import SpokenHooks
from gliobench.study.parts.base import Config, Name
from gliobench.study.parts.paths import resolved
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK
from gliobench.tasks.prompt_file import named_prompts

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model, Question
    from gliobench.study.config.study import Study
    from gliobench.study.kinds.replay import ReplayModelConfig
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round


def check_images(name: str, key: str, images: Sequence[str], problem: Problem) -> None:
    """Raise ValueError where an entry names images that the problem has not."""
    if unknown := [image for image in images if image not in problem.names]:
        raise ValueError(
            f"models: {name}: {key}: no image is named {', '.join(unknown)}; there are {', '.join(problem.names)}"
        )


# Of models: taken from the file's folder.
PATH_KEYS = ("prompts", "weights", "start", "python", "answers", "patients", "masks")


class Scope(NamedTuple):
    """What a model answers: its tasks, about slices or about whole patients."""

    tasks: frozenset[str]
    per_slice: bool


PATIENTS_GRADE, PATIENTS_MASK = Scope(frozenset({GRADE.name}), False), Scope(frozenset({MASK.name}), False)


class ModelConfig(Config, LearningHooks, SpokenHooks, CostHooks, ABC):
    """One model of a study.

    `OPERATION`: keys that decide how it is run, not what it answers. A kind has to say what of the truth its input is
    made with (`oracles`) and how it is built (`build`); all else has a default: a model that is built once per round,
    learns in no stage of its own, answers about whole patients, stands for no camp, and takes nobody knows how long.

    `camp`: which camp it may stand for in the planned comparisons, where its kind does not say, or says otherwise.
    """

    LATER: ClassVar = frozenset({"camp"})
    OPERATION: ClassVar[frozenset[str]] = frozenset()
    trains: ClassVar[bool] = False  # by `train`, unless it comes trained
    trivial: ClassVar[bool] = False  # a baseline that knows nothing of the patient's images beyond brightness
    classical: ClassVar[bool] = False  # the baseline that grade networks have to beat
    question_seconds: ClassVar[float | None] = None  # for a plan, on any machine; None: not known

    kind: str
    name: Name
    camp: Camp | Literal["none"] | None = None
    _problem: Problem = PrivateAttr(GLIOMA)
    _regional: tuple[str, ...] = PrivateAttr(())

    @property
    def own_camp(self) -> Camp | None:
        """The camp that a model of this kind stands for, whatever its entry says; None: none."""
        return None

    @property
    def stands_for(self) -> Camp | None:
        """The camp that it may stand for; None: none."""
        if self.camp is None:
            return None if self.untrained else self.own_camp
        return None if self.camp == "none" else self.camp

    @property
    def problem(self) -> Problem:
        """What the study is about."""
        return self._problem

    def about(self, problem: Problem) -> Self:
        """The entry in a study of a problem, with the problem's images where it names none. Raises ValueError where it
        names others."""
        entry = self.model_copy()
        entry._problem = problem
        return entry

    def asked(self, regional: Sequence[str], region: Region) -> Self:
        """The entry in a study of a region, some of whose tasks are each asked of a region of its own, `regional`."""
        entry = self.model_copy()
        entry._regional = tuple(task for task in regional if self.tells_region_of(task))
        return entry

    @property
    def regional(self) -> tuple[str, ...]:
        """Those of the study's tasks of one region that it answers."""
        return self._regional

    def tells_region_of(self, task: str) -> bool:
        """Whether it can answer a task that is asked of one region."""
        return False

    def resolved(self, folder: Path) -> Self:
        """The entry with paths taken from the folder of its study file."""
        paths = {key: resolved(folder, path) for key in PATH_KEYS if (path := getattr(self, key, None))}
        if named := named_prompts(getattr(self, "prompts", None) or Path()):
            paths["prompts"] = named
        return self.model_copy(update=paths)

    def entries(self) -> Sequence[Self]:
        """The entries that it stands for, each a model of its own; asked once its paths are whole."""
        return (self,)

    # What has to be true of the study.

    def check(self, study: "Study") -> None:
        """Raise ValueError, which names the entry, where it does not fit the rest of the study."""

    @abstractmethod
    def oracles(self, study: "Study") -> Mapping[str, str]:
        """What of the truth its input is made with, beside what all are given: by the word for it in records, a
        sentence. Empty: nothing."""

    # How it is built and asked.

    @abstractmethod
    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        """The model, ready to answer about the round's patients and slices of `plane`."""

    @property
    def built_each_round(self) -> bool:
        """Whether it is built anew for each round and plane, because it learns from the round's patients."""
        return True

    @property
    def needs(self) -> tuple[str, ...]:
        """The models of the study whose answers its input is made from."""
        return () if self.masks_by is None else (self.masks_by,)

    @property
    def masks_by(self) -> str | None:
        """The model of the study whose masks say where it looks."""
        return None

    @property
    def crop_voxels(self) -> tuple[int, int, int] | None:
        """The shape (D, H, W) of the box around the tumour that is all it sees; None where it sees the whole grid."""
        return None

    def sees_image_alone(self, study: "Study") -> bool:
        """Whether it answers from the image of the question, and from nobody's answers or truth about the patient, so
        that its answers about a changed image say whether it looks."""
        alone = not (self.external or self.needs or self.crop_voxels or self.oracles(study))
        return alone and all(one.sees_image_alone(study) for one in self.members(study))

    def members(self, study: "Study") -> Sequence["ModelConfig"]:
        """The entries that answer together in it."""
        return ()

    def content(self, context: "Context") -> Mapping[str, Any]:
        """What decides its answers beside its entry, for the fingerprint of `predict`."""
        return {}

    def remarks(self) -> tuple[str, ...]:
        """Sentences to say before it is asked."""
        return ()

    def warnings(self, context: "Context") -> Iterator[str]:
        """Sentences, before it is asked and in the report, on what it learns from."""
        return iter(())

    @property
    def replayed(self) -> "ReplayModelConfig | None":
        """Itself, where its answers to questions were given elsewhere; not where masks were."""
        return None

    @property
    def external(self) -> bool:
        """Whether its answers were given elsewhere, so that they are scored against the questions before any work."""
        return False

    def read_external(self) -> None:
        """Read all of its recorded answers; raises for what cannot be used."""

    def fit(self, context: "Context", questions: Sequence["Question"]) -> Iterator[str]:
        """Sentences on how its answers fit the questions; raises where they do not."""
        return iter(())

    def after(self, context: "Context") -> None:
        """What is still to do once it has answered."""

    # Beside others in the study, and in a plan.

    @property
    def prompts_segmenters(self) -> bool:
        """Whether its answers are places that a segmenter can be prompted with."""
        return True

    @property
    def asked_by_slice(self) -> bool:
        """Whether it is asked here about one slice after the other, which takes time."""
        return bool(self.spoken_tasks) and not self.external

    @property
    def finds_the_whole(self) -> bool:
        """Whether it finds the whole tumour, whatever region of it the study asks about."""
        return False

    @property
    def pointed_by(self) -> str | None:
        """The model whose answers point it to the tumour."""
        return None

    def region_notes(self, study: "Study") -> Iterator[str]:
        """Sentences on its answers where the study asks about one region of the tumour."""
        return iter(())

    @property
    def scope(self) -> Scope | None:
        """What it answers; None where nobody knows before it is built. A plan counts its questions by it."""
        return Scope(frozenset(self.spoken_tasks), True) if self.spoken_tasks else None

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """What it takes, and what is missing here: without more knowledge, the questions of its scope."""
        return plan_inputs.counted(self)
