"""One model of a study again, trained or asked otherwise, as a study of its own in a folder inside the study's: the
same patients, split, questions and features."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import Split
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context
from gliobench.study.state.folder import StudyFolder


@dataclass(frozen=True)
class BranchFolder(StudyFolder):
    """The folder of one model's branch; the patients are the `study`'s."""

    study: StudyFolder = field(kw_only=True)

    @property
    def prepared(self) -> Path:
        return self.study.prepared

    @property
    def split(self) -> Path:
        return self.study.split

    @property
    def features(self) -> Path:
        return self.study.features


@dataclass(frozen=True)
class BranchContext(Context):
    """One `model` of the study `whole`: a study that answers with it alone, and says nothing."""

    whole: Context = field(kw_only=True)
    model: ModelConfig = field(kw_only=True)

    @property
    def label(self) -> str:
        """Which branch of which model."""
        return self.model.name

    @cached_property
    def subjects(self) -> dict[str, PreparedSubject]:
        return self.whole.subjects

    @cached_property
    def split(self) -> Split:
        return self.whole.split

    @property
    def answering(self) -> tuple[ModelConfig, ...]:
        return (self.model,)

    def where(self, model: str) -> Context:
        return self if model == self.model.name else self.whole

    @property
    def keeps_in_sample(self) -> bool:
        return False


def branch_study(study: Study, model: ModelConfig) -> Study:
    """The study with `model` in the place of the entry of its name, asked nothing twice."""
    models = tuple(model if one.name == model.name else one for one in study.models)
    off = dict.fromkeys(("consistency", "controls", "learning_curve", "seeds", "sensitivity"))
    return study.model_copy(update={"models": models, **off})


def alone(study: Study, what: str) -> tuple[list[ModelConfig], list[str]]:
    """The models of a study that answer without another one that learns, and a sentence on each other one: a branch
    would need the other's."""
    known = {config.name: config for config in study.models}

    def behind(config: ModelConfig) -> list[ModelConfig]:
        others = [*config.members(study), *(known[name] for name in config.needs if name in known)]
        return [*others, *(one for other in others for one in behind(other))]

    found, left = [], []
    for config in study.models:
        if of := [one.name for one in behind(config) if one.learns]:
            left.append(f"{what}, without {config.name}: it answers with {', '.join(of)}, which learns itself")
        elif config.engine == "unsloth":
            left.append(f"{what}, without {config.name}: Unsloth fine-tunes in a process of its own")
        else:
            found.append(config)
    return found, left
