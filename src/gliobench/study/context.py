"""What every stage of a study needs to know, and what the stages left for the next one."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gliobench.cohort.subject import Fault
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import Fold, Ids, Split, read_split
from gliobench.grid.store import open_subject
from gliobench.study.config import Study
from gliobench.study.folder import StudyFolder, stamped_seconds, write_json
from gliobench.study.progress import Silent, Voice


class StageError(RuntimeError):
    """A stage cannot be done; the message says what is missing and which verb makes it."""


@dataclass(frozen=True)
class Round:
    """Patients who are tested together, and the folds whose models answer about them: one, or several together."""

    folds: Mapping[int, Fold]

    @property
    def learn(self) -> Ids:
        """Everybody that the models of these folds were trained on."""
        return tuple(sorted({id for fold in self.folds.values() for id in fold.train}))

    @property
    def validation(self) -> Ids:
        """Who decides for a model of the whole round: the first fold's."""
        return next(iter(self.folds.values())).validation

    @property
    def test(self) -> Ids:
        return next(iter(self.folds.values())).test


def rounds_of(split: Split, folds: Mapping[int, Fold]) -> tuple[Round, ...]:
    """The rounds that the folds in use make."""
    return tuple(Round({number: fold}) for number, fold in folds.items()) if split.crossed else (Round(folds),)


@dataclass(frozen=True)
class Context:
    """One study on one cohort with one output folder. `store` holds prepared patients and may be shared."""

    study: Study
    cohort: Path
    folder: StudyFolder
    store: Path
    skip_bad: bool = False
    workers: int = 2
    voice: Voice = field(default_factory=Silent)

    @cached_property
    def subjects(self) -> dict[str, PreparedSubject]:
        """The prepared patients by id, in the cohort's order. Raises StageError before `prepare`."""
        left = read_stage(self.folder.prepared, "prepare")
        return {entry["id"]: open_subject(self.store / entry["content"]) for entry in left["subjects"]}

    @cached_property
    def left_out(self) -> tuple[Fault, ...]:
        """The patients that `prepare` left out."""
        return tuple(Fault(**fault) for fault in read_stage(self.folder.prepared, "prepare")["left_out"])

    @cached_property
    def cohort_notes(self) -> tuple[str, ...]:
        """What `prepare` noted of the cohort and its patients; nothing where an earlier version prepared it."""
        return tuple(read_stage(self.folder.prepared, "prepare").get("notes", ()))

    @cached_property
    def split(self) -> Split:
        """Who is tested, and in which folds the others learn. Raises StageError before `split`."""
        if not self.folder.split.exists():
            raise StageError(f"{self.folder.split} is missing: run `gliobench split` first")
        return read_split(self.folder.split, list(self.subjects))

    @cached_property
    def folds(self) -> Mapping[int, Fold]:
        """The folds that the study uses, by number."""
        return {number: self.split.fold(number) for number in self.study.split.numbers(self.split)}

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """One round a fold in cross-validation, else a single one."""
        return rounds_of(self.split, self.folds)

    @cached_property
    def tested(self) -> Ids:
        """Every patient who is tested, in any round."""
        return tuple(id for round in self.rounds for id in round.test)

    @contextmanager
    def stage(self, name: str, inputs: str, *, done: bool = True) -> Iterator[bool]:
        """Yield True where the stage has to be done, False (and say so) where it was done for these `inputs`
        and its outputs are still there (`done`). The stamp is written only when the body ends well."""
        stamp = self.folder.stamp(name)
        earlier = stamped_seconds(stamp, inputs)
        if earlier is not None and done:
            self.voice.say(f"{name}: skipped, its inputs have not changed (took {earlier:.1f} s then)")
            yield False
            return
        start = time.perf_counter()
        yield True
        seconds = time.perf_counter() - start
        write_json(stamp, {"inputs": inputs, "seconds": seconds})
        self.voice.say(f"{name}: done in {seconds:.1f} s")


def read_stage(path: Path, verb: str) -> dict[str, Any]:
    """What an earlier stage left; raises StageError naming the verb that makes it."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing: run `gliobench {verb}` first") from error
    return content


def make_context(
    study: Study,
    *,
    cohort: Path | None = None,
    out: Path | None = None,
    store: Path | None = None,
    skip_bad: bool = False,
    workers: int = 2,
    voice: Voice | None = None,
    nowhere: Path | None = None,
) -> Context:
    """The context of a study with its defaults filled in. Where no cohort is named, it is `nowhere`; without that
    raises StageError."""
    root = cohort or study.cohort
    folder = StudyFolder(out or Path("runs") / study.name)
    if root is None and folder.prepared.exists():
        root = Path(read_stage(folder.prepared, "prepare")["root"])
    if (root := root or nowhere) is None:
        raise StageError("no cohort: give --cohort FOLDER, or write `cohort:` into the study file")
    return Context(study, root, folder, store or folder.root / "grid", skip_bad, workers, voice or Silent())
