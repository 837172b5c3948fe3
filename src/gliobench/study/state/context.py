"""What every stage of a study needs to know, and what the stages left for the next one."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gliobench.cohort.patients import patients_of
from gliobench.cohort.subject import Fault, named
from gliobench.errors import GliobenchError
from gliobench.grid.prepared import PreparedSubject, asked_about, untold
from gliobench.grid.split_file import read_split
from gliobench.grid.splits import Fold, Ids, Split
from gliobench.grid.store import open_subject
from gliobench.integrity import DamagedError, Stamp, check_file, listed, read_json, read_stamp, write_stamp
from gliobench.records.store import RecordStore
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.device import device_since, gpu_allocations
from gliobench.study.state.folder import StudyFolder
from gliobench.study.state.lock import locked
from gliobench.study.state.progress import Silent, Voice

Outputs = Callable[[], Iterable[Path]]  # the files that a stage leaves, once it has


class StageError(GliobenchError, RuntimeError):
    """A stage cannot be done; the message says what is missing and which verb makes it."""


class RegionError(GliobenchError, ValueError):
    """The cohort's masks do not tell the region that a study asks about."""


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
    took: dict[Stage, float] = field(default_factory=dict, compare=False, repr=False)  # seconds, of each stage here

    @cached_property
    def subjects(self) -> dict[str, PreparedSubject]:
        """The prepared scans by id, in the cohort's order, asked about the study's region. Raises StageError before
        `prepare`, RegionError where no mask tells the region from the rest of the tumour."""
        region, problem = self.study.asked_region, self.study.problem
        subjects = {
            entry["id"]: replace(
                open_subject(self.store / entry["content"]),
                patient=entry.get("patient", ""),
                problem=problem,
                variables=entry.get("variables", {}),
            )
            for entry in read_prepared(self.folder)["subjects"]  # an earlier version's name no patients: by the ids
        }
        if why := untold(subjects.values(), region):
            whole = problem.finding_words
            raise RegionError(
                f"{self.study.place('region')}: the cohort {self.cohort} cannot tell the {region.title} from the rest "
                f"of the {whole}: {why}. Leave `region` out, or use a cohort whose masks mark the parts "
                "(docs/data.md)"
            )
        for task, asked in self.study.regional.items():
            if why := untold(subjects.values(), asked):
                raise RegionError(
                    f"{self.study.place('tasks')}: {task}: the cohort {self.cohort} cannot tell the {asked.title} from "
                    f"the rest of the {problem.finding_words}: {why}. Leave this task out, or use a cohort whose masks "
                    "mark the parts (docs/data.md)"
                )
        if several := self.study.tell_parts:
            masked = [subject for subject in subjects.values() if subject.labels is not None]
            if undivided := [subject.id for subject in masked if not subject.divided]:
                raise RegionError(
                    f"{self.study.place('models')}: {', '.join(several)}: regions: brats needs masks with the parts of "
                    f"the tumour; those of {named(undivided)} mark the whole: leave `regions` out"
                )
        return {id: asked_about(subject, region) for id, subject in subjects.items()}

    @cached_property
    def patients(self) -> dict[str, str]:
        """Each prepared scan with its patient."""
        return patients_of(self.subjects.values())

    @cached_property
    def left_out(self) -> tuple[Fault, ...]:
        """The patients that `prepare` left out."""
        return tuple(Fault(**fault) for fault in read_prepared(self.folder)["left_out"])

    @cached_property
    def cohort_notes(self) -> tuple[str, ...]:
        """What `prepare` noted of the cohort and its patients; nothing where an earlier version prepared it."""
        return tuple(read_stage(self.folder.prepared, "prepare").get("notes", ()))

    @cached_property
    def split(self) -> Split:
        """Who is tested, and in which folds the others learn. Raises StageError before `split`."""
        if not self.folder.split.exists():
            raise StageError(f"{self.folder.split} is missing: run `gliobench split` first")
        return read_split(self.folder.split, self.patients, checksum=True)

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

    @property
    def answering(self) -> tuple[ModelConfig, ...]:
        """The models whose answers are scored here."""
        return self.study.models

    def where(self, model: str) -> "Context":
        """Where a model of the study has answered."""
        return self

    @property
    def keeps_in_sample(self) -> bool:
        """Whether networks are asked about their own training patients, for the report."""
        return True

    @cached_property
    def _answers(self) -> dict[tuple[str, str | None], RecordStore]:
        return {}

    def answers(self, model: str, writer: str | None = None) -> RecordStore:
        """All that a model ever answered here: one store for all stages, so that none parses what another has.
        `writer`: whose file is written, where several processes answer for the model."""
        return self._answers.setdefault((model, writer), RecordStore(self.folder.answers(model), writer))

    @contextmanager
    def stage(
        self, stage: Stage, inputs: str, outputs: Outputs, *, sound: bool = True, costly: bool = False
    ) -> Iterator[bool]:
        """Yield True where the stage has to be done, False (and say so) where it was done for these `inputs` and all
        that it left is as it was. The stamp, with the checksums of `outputs`, is written only when the body ends well.

        `sound`: False where something else shows that it has to be done again. `costly`: what is damaged is not made
        again unasked, for it took hours. Raises StageError then, LockedError where another process does the stage.
        """
        earlier = self.done(stage, inputs, outputs, costly=costly)
        if earlier is not None and sound:
            self.count(stage, earlier)
            self.voice.say(f"{stage}: skipped, its inputs have not changed (took {earlier:.1f} s then)")
            yield False
            return
        with locked(self.folder.lock(stage), str(stage)):
            start, before = time.perf_counter(), gpu_allocations()
            yield True
            seconds, device = time.perf_counter() - start, device_since(before)
            write_stamp(self.folder.stamp(stage), Stamp(inputs, seconds, listed(outputs(), self.folder.root), device))
        self.count(stage, seconds)
        self.voice.say(f"{stage}: done in {seconds:.1f} s")

    def count(self, stage: Stage, seconds: float) -> None:
        """Add to the time that a stage took here."""
        self.took[stage] = self.took.get(stage, 0.0) + seconds

    def done(self, stage: Stage, inputs: str, outputs: Outputs, *, costly: bool = False) -> float | None:
        """Seconds that a stage took when it was done for these inputs; None, and the damage is said, where it has to
        be done. Raises StageError where it is `costly` and damaged."""
        path, root = self.folder.stamp(stage), self.folder.root
        try:
            stamp = read_stamp(path)
        except DamagedError as error:
            self.voice.say(f"{stage}: {error}; repeating it")
            return None
        if stamp is None or stamp.inputs != inputs:
            return None
        if stamp.files is None:
            if not (left := list(outputs())) or not all(file.is_file() for file in left):
                return None
            self.voice.say(f"{stage}: done by a version that kept no checksums; what it left is taken as it is")
            write_stamp(path, Stamp(inputs, stamp.seconds, listed(left, root)))
            return stamp.seconds
        faults = list(stamp.faults(root).values())
        if faults and costly:
            raise StageError(
                f"{stage}: {'; '.join(faults)}. Put it back from a copy, or run `gliobench repair {root}`: it moves "
                "damaged files aside, and the next run repeats what is lost"
            )
        for fault in faults:
            self.voice.say(f"{stage}: {fault}; repeating it")
        # An earlier version may have left less, or under other names.
        whole = not faults and (costly or all(file.exists() for file in outputs()))
        return stamp.seconds if whole else None

    def check(self, path: Path, stage: Stage) -> Path:
        """A file that a stage left; raises StageError naming the verb that makes it again where it is damaged."""
        try:
            check_file(path, self.folder.stamp(stage), self.folder.root)
        except DamagedError as error:
            raise StageError(f"{error}: run `gliobench {stage.verb}`, which rebuilds it") from error
        return path


def read_stage(path: Path, verb: str, *needed: str) -> dict[str, Any]:
    """What an earlier stage left; raises StageError naming the verb that makes it, where it is missing or damaged."""
    try:
        return read_json(path, *needed)
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing: run `gliobench {verb}` first") from error
    except DamagedError as error:
        raise StageError(f"{error}: run `gliobench {verb}`, which rebuilds it") from error


def read_prepared(folder: StudyFolder) -> dict[str, Any]:
    """What `prepare` left: cohort, layout and root, the patients with their contents, and who was left out."""
    return read_stage(folder.prepared, "prepare", "cohort", "layout", "root", "subjects", "left_out")


def check_writable(option: str, folder: Path) -> None:
    """Raise StageError where no folder can be written at a place that an option names."""
    try:
        there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    except (OSError, ValueError) as error:  # a name too long, or with NUL
        raise StageError(f"{option}: no folder can be named so: {getattr(error, 'strerror', None) or error}") from None
    if not there.is_dir():
        raise StageError(f"{option} {folder}: {there} is no folder; give another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StageError(f"{option} {folder}: this user may not write into {there}; give another place")


def check_apart(cohort: Path, out: Path) -> None:
    """Raise StageError where results would be written among the patients' scans."""
    try:
        scans, results = cohort.resolve(), out.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # NUL, a name too long, a link to itself
        raise StageError(f"--cohort {str(cohort)!r}, --out {str(out)!r}: no folder can be named so ({error})") from None
    if results == scans or scans in results.parents:
        raise StageError(f"--out {out} lies in the cohort's folder {cohort}, which is read-only: give another folder")


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
        root = Path(read_prepared(folder)["root"])
    if (root := root or nowhere) is None:
        raise StageError("no cohort: give --cohort FOLDER, or write `cohort:` into the study file")
    if root != nowhere:
        check_apart(root, folder.root)
    for option, place in (("--out", folder.root), ("--store", store)):
        if place is not None:
            check_writable(option, place)
    return Context(study, root, folder, store or folder.root / "grid", skip_bad, workers, voice or Silent())
