"""The folder of a study: where each stage leaves its work, and the stamps that say for which inputs it was done."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliobench.study.parts.stage import SHARD, Stage, Verb

RECORDS = ".jsonl"


@dataclass(frozen=True)
class StudyFolder:
    """Paths inside one study's output folder."""

    root: Path

    @property
    def prepared(self) -> Path:
        """Which patients were prepared, where they are stored, and who was left out and why."""
        return self.root / "prepared.json"

    @property
    def split(self) -> Path:
        return self.root / "split.json"

    @property
    def masks(self) -> Path:
        """Masks of whole patients, shared by all models (the names are keys)."""
        return self.root / "answers" / "masks"

    @property
    def scores(self) -> Path:
        return self.root / "scores"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def features(self) -> Path:
        """What frozen encoders made of patients, by what decides it and by the patient's content."""
        return self.root / "features"

    def network(self, model: str, fold: int) -> Path:
        return self.root / "networks" / model / f"fold-{fold}"

    def networks(self, model: str, folds: Iterable[int]) -> list[Path]:
        """Where what a model learnt lies, fold by fold."""
        return [self.network(model, number) for number in folds]

    def choice(self, model: str, fold: int, place: int) -> Path:
        """One of the trainings that a sweep chooses from."""
        return self.root / "sweeps" / model / f"fold-{fold}" / f"choice-{place}"

    def sensitivity(self, model: str) -> Path:
        """Where a model's answers to other prompts and views lie, a run folder for each."""
        return self.root / "sensitivity" / model

    def seeds(self, model: str) -> Path:
        """Where a model's further seeds lie, a run folder for each."""
        return self.root / "seeds" / model

    def curve(self, model: str) -> Path:
        """Where a model's learning curve lies, a run folder for every point."""
        return self.root / "curve" / model

    def answers(self, model: str) -> Path:
        """A model's records; those of further writers lie in a folder beside it (`gliobench.records.store`)."""
        return self.root / "answers" / f"{model}{RECORDS}"

    def asked(self, model: str) -> Path:
        """The keys of the questions that a model has been asked by the study as it stands."""
        return self.root / "answers" / f"{model}.asked.json"

    @property
    def answered_models(self) -> list[str]:
        """The models of which there are records, of any writer."""
        answers = self.masks.parent
        own = [path.name.removesuffix(RECORDS) for path in answers.glob(f"[!.]*{RECORDS}")]
        return sorted({*own, *(path.parent.name for path in answers.glob(f"*/[!.]*{RECORDS}"))})

    @property
    def asked_models(self) -> list[str]:
        """The models that have been asked all that the study asks."""
        asked = self.asked("*").name
        return sorted(path.name.removesuffix(asked[1:]) for path in self.masks.parent.glob(asked))

    def repeated(self, model: str) -> Path:
        """The keys of the questions that were put to a model again; the first answer is among those asked."""
        return self.root / "answers" / f"{model}.repeated.json"

    def validation(self, model: str) -> Path:
        """The keys of the questions about validation patients, who teach how slices become a grade; none is scored."""
        return self.root / "answers" / f"{model}.validation.json"

    def controls(self, model: str) -> Path:
        """The keys of the questions about changed images (`gliobench.grid.controls`); none is scored with the rest."""
        return self.root / "answers" / f"{model}.controls.json"

    def tested(self, model: str) -> Path:
        """The ids of the patients whom the questions asked are about: fewer with one fold than with all."""
        return self.root / "answers" / f"{model}.tested.json"

    def question_lists(self, model: str, *, controls: bool) -> tuple[Path, ...]:
        """All of these, that of `controls` where the study has any; a model has been asked when they are there."""
        lists = self.asked(model), self.repeated(model), self.validation(model), self.tested(model)
        return (*lists, self.controls(model)) if controls else lists

    @property
    def stamps(self) -> Path:
        return self.root / "stamps"

    def stamp(self, stage: Stage) -> Path:
        return self.stamps / f"{stage}.json"

    def shards(self, stage: Stage, suffix: str = ".json") -> list[Path]:
        """The stamps, or other files, of a stage's shards."""
        return sorted(self.stamps.glob(f"{stage}{SHARD}*{suffix}"))

    def has_stamp(self, verb: Verb, model: str) -> bool:
        """Whether a model has been through the stages of this verb, in any fold."""
        return any(self.stamps.glob(f"{Stage(verb, model)}-fold-*.json"))

    def lock(self, stage: Stage) -> Path:
        """Held by the process that does the stage now."""
        return self.stamps / f"{stage}.lock"


def fingerprint(**inputs: Any) -> str:
    """SHA-256 of a stage's inputs (plain JSON values)."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
