"""What a kind of model is to a study: all that its stages ask of an entry, whatever kind it is.

A kind is a class: its entry in a study file, and its knowledge in methods. Stages, plan and report know this class
alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import PrivateAttr

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.regions import Region
from gliobench.models.checkpoints.files import Use
from gliobench.models.server.prices import Prices
from gliobench.scoring.camps import Camp
from gliobench.study.parts.base import Config, Name
from gliobench.study.parts.paths import resolved
from gliobench.study.parts.prices import PricesConfig
from gliobench.study.parts.stage import Stage
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK
from gliobench.tasks.prompt_file import named_prompts

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.base.prediction import Model, Question
    from gliobench.models.views.view import View
    from gliobench.study.config.study import Study
    from gliobench.study.kinds.network import NetworkConfig
    from gliobench.study.kinds.replay import ReplayModelConfig
    from gliobench.study.kinds.vlm import LanguageModelConfig
    from gliobench.study.parts.seen import Seen
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Outputs, Round
    from gliobench.tasks.prompt import Prompt


def check_images(name: str, key: str, images: Sequence[str], problem: Problem) -> None:
    """Raise ValueError where an entry names images that the problem has not."""
    if unknown := [image for image in images if image not in problem.names]:
        raise ValueError(
            f"models: {name}: {key}: no image is named {', '.join(unknown)}; there are {', '.join(problem.names)}"
        )


# Of models: taken from the file's folder.
PATH_KEYS = ("prompts", "weights", "start", "python", "answers", "patients", "masks")
Verb = Literal["train", "finetune"]
Aggregate = Literal["majority", "mean-probability", "learned"]  # see `gliobench.scoring.aggregate`


class Scope(NamedTuple):
    """What a model answers: its tasks, about slices or about whole patients."""

    tasks: frozenset[str]
    per_slice: bool


PATIENTS_GRADE, PATIENTS_MASK = Scope(frozenset({GRADE.name}), False), Scope(frozenset({MASK.name}), False)


@dataclass(frozen=True)
class Learning:
    """A stage in which a model learns, the fingerprint of what it learns from, and what it leaves."""

    stage: Stage
    inputs: str
    files: "Outputs"


def learning_by_fold(
    context: "Context",
    config: "ModelConfig",
    folds: "Iterable[tuple[int, Fold]]",
    inputs: "Callable[[Context, Any, Fold], str]",
    files: Callable[[Path], list[Path]],
) -> list[Learning]:
    """One stage per fold: `inputs` gives its fingerprint, `files` what it leaves in the fold's folder."""
    assert config.verb is not None
    return [
        Learning(
            Stage(config.verb, config.name, number),
            inputs(context, config, fold),
            partial(files, context.folder.network(config.name, number)),
        )
        for number, fold in folds
    ]


class ModelConfig(Config, ABC):
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

    # What it learns from, and when.

    @property
    def verb(self) -> Verb | None:
        """The command with which it learns in stages of its own, before it is asked."""
        return None

    def learning(self, context: "Context") -> list[Learning]:
        """The stages in which it learns, one per fold."""
        return []

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        """Learn from a fold. `alone`: this process does nothing else."""

    @property
    def learns(self) -> bool:
        """Whether it is fitted to the training patients, so that it has a learning curve."""
        return self.verb is not None or self.leaves_validation_out

    @property
    def swept(self) -> "NetworkConfig | None":
        """Itself, where it is a network that is trained in several settings."""
        return None

    @property
    def language(self) -> "LanguageModelConfig | None":
        """Itself, where it is a language model in this process."""
        return None

    @property
    def finetuned(self) -> "LanguageModelConfig | None":
        """Itself, where it is a language model that is fine-tuned here."""
        return None

    @property
    def engine(self) -> str | None:
        """Whose code it is fine-tuned with."""
        return None

    def is_left(self, context: "Context") -> bool:
        """Whether it has still to learn in a process of its own, by a command of its own."""
        return False

    def start_fault(self, fold: "Fold", region: Region) -> str | None:
        """Why it cannot begin to learn from a fold."""
        return None

    def trained(self, context: "Context") -> list[str]:
        """Fingerprints of what it answers with."""
        return [one.inputs for one in self.learning(context)]

    @property
    def leaves_validation_out(self) -> bool:
        """Whether it learns, when it is built, from the training patients without those who decide."""
        return False

    @property
    def untrained(self) -> bool:
        """Whether it is random weights alone, and cannot know anything."""
        return False

    @property
    def wants_classical(self) -> bool:
        """Whether the classical baseline has to stand beside it."""
        return False

    @property
    def calibrated(self) -> bool:
        """Whether it gives a calibrated probability of a grade, so that it can answer together with others."""
        return False

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

    # What it says in words about slices; nothing of it for all others.

    @property
    def spoken_tasks(self) -> tuple[str, ...]:
        """The tasks that it answers in words, slice by slice."""
        return ()

    @property
    def picture(self) -> "View | None":
        """What it is shown of a slice, where it answers in words."""
        return None

    def prompts_of(self, region: Region) -> "Mapping[str, Prompt]":
        """Prompts for its tasks that are not the project's own of the whole tumour. Raises PromptError."""
        return {}

    def samples(self, task: str) -> bool:
        """Whether it draws its answers to a task, so that the same question can be answered in two ways."""
        return False

    def sampling_words(self, task: str) -> str:
        """How its answers to a task are drawn."""
        return "one answer"

    @property
    def aggregation(self) -> Aggregate:
        """How its slices become a patient's grade."""
        return "majority"

    @property
    def learns_aggregate(self) -> bool:
        """Whether validation patients teach how its slices become a grade, so that it is asked about them too."""
        return self.aggregation == "learned" and GRADE.name in self.spoken_tasks

    def asked_on_validation(self, task: str) -> bool:
        """Whether it is asked about validation patients too, who choose for its camp or teach how slices become a
        grade."""
        return task == GRADE.name and self.learns_aggregate

    def validated(self, context: "Context", fold: int) -> Mapping[str, float]:
        """By task, the first metric that its training left for the validation patients of a fold; nothing where it
        left none."""
        return {}

    @property
    def asked_elsewhere_fault(self) -> str | None:
        """Why its questions cannot be written down to be asked elsewhere."""
        return None

    # What it takes and what is said of it.

    @property
    def runs_elsewhere(self) -> str | None:
        """Where it computes, in words, if not in this process."""
        return None

    def priced(self, prices: PricesConfig | None) -> Self:
        """The entry in a study with these prices. Raises ValueError where its own are in another currency."""
        return self

    @property
    def by_tokens(self) -> bool:
        """Whether its answers are paid by tokens, not by hours."""
        return False

    @property
    def token_prices(self) -> Prices | None:
        """What its tokens cost; None where they cost nothing of their own, or nobody has said."""
        return None

    @property
    def hardware_is_known(self) -> bool:
        """Whether the stamps of its stages name all the hardware that it learns and answers on."""
        return self.runs_elsewhere is None

    @property
    def checkpoint_source(self) -> tuple[str, str | None] | None:
        """Its checkpoint and revision; None where it has none."""
        return None

    @property
    def declared(self) -> "tuple[str, Seen] | None":
        """Its checkpoint, and what its entry declares of the patients that this was pretrained on; None where it was
        not pretrained elsewhere."""
        return None

    def machine_faults(self, context: "Context") -> Iterator[tuple[str, str]]:
        """What it cannot do on this machine: keys of its entry, and why."""
        return iter(())

    @property
    def checkpoint_use(self) -> Use | None:
        """What its checkpoint has to do; None where it has none."""
        return None

    @property
    def scope(self) -> Scope | None:
        """What it answers; None where nobody knows before it is built. A plan counts its questions by it."""
        return Scope(frozenset(self.spoken_tasks), True) if self.spoken_tasks else None

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """What it takes, and what is missing here: without more knowledge, the questions of its scope."""
        return plan_inputs.counted(self)

    @property
    def mark(self) -> str:
        """What stands beside its name in tables."""
        return ""

    def notes(self) -> Iterator[str]:
        """Sentences of the report on how it was asked."""
        return iter(())
