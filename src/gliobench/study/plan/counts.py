"""Patients, rounds and slices of a study: of the prepared patients where there are any, else of the cohort's folder,
else of a number that is assumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gliobench.cohort.patients import names_of, patients_of, scans_of, several_scans
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import Cohort, CohortError
from gliobench.grid.frame import INDEX_AXIS, Plane
from gliobench.grid.splits import Fold, Patients, Split, SplitError
from gliobench.grid.store import StoreError
from gliobench.study.asking.controls import controlled
from gliobench.study.asking.questions import asked_slices
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.neutral import option_words
from gliobench.study.parts.split import SplitConfig
from gliobench.study.plan.estimates import Basis, Missing
from gliobench.study.stages.split import (
    Variables,
    class_lines,
    class_warnings,
    refuse_missing_class,
    split_patients,
)
from gliobench.study.state.context import Context, Round, StageError, read_stage, rounds_of
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

NO_COHORT = Path()  # stands where neither the study nor the command names one
ASSUMED_PATIENTS, ASSUMED_HGG = 365, 0.794  # the reference study's patients; BraTS 2020 has 293 HGG of 369
# Of a plane's slices, those from the first with tumour to the last. `brain`: mean of 38 real BraTS patients on
# 95 x 128 x 128 (docs/tasks.md). `study`: mean of the reference study's 365 axial and 55 coronal ranges;
# sagittal taken as coronal.
TUMOUR_SHARE: Mapping[str, Mapping[Plane, float]] = {
    "brain": {"axial": 0.46, "coronal": 0.43, "sagittal": 0.32},
    "study": {"axial": 0.66, "coronal": 0.58, "sagittal": 0.58},
    "all brain": {"axial": 0.9, "coronal": 0.9, "sagittal": 0.9},  # assumed
}
CROP_SHARE = 0.8  # of a crop around the target; assumed
OTHER_SHARE = 0.5  # of the grid of another problem than gliomas; assumed


@dataclass(frozen=True)
class Patient:
    """Whom a study may ask about: `patient`, by a scan. `mask`: whether there is one."""

    id: str
    patient: str
    grade: int | None
    mask: bool
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> bool | None:
        """The mask, of which no more is known here; None without one."""
        return self.mask or None

    def teaches(self, task: str) -> bool:
        """Whether there is a truth for the task, be it asked or not."""
        return TASKS[task].has_truth(self)

    def teaches_about_slices(self, tasks: Sequence[str]) -> int:
        """How many of the tasks a language model learns from a slice: those with a mask have slices."""
        return sum(self.teaches(task) for task in tasks) if self.mask else 0


@dataclass(frozen=True)
class Counts:
    """Who takes part, and how many slices of each plane a slice-by-slice model is asked about, by patient. `prepared`:
    whether patients are prepared, so that their voxels can be looked at."""

    patients: Mapping[str, Patient]
    rounds: tuple[Round, ...]
    slices: Mapping[Plane, Mapping[str, float]]
    basis: Basis
    slices_basis: Basis
    assumptions: tuple[str, ...]
    missing: tuple[Missing, ...]
    prepared: bool

    @property
    def tested(self) -> tuple[str, ...]:
        return tuple(id for round in self.rounds for id in round.test)

    def whose(self, ids: Sequence[str]) -> dict[str, str]:
        """Some scans with their patients."""
        return patients_of(self.patients[id] for id in ids)


def count(context: Context, assumed: int | None) -> Counts:
    """Count what there is. `assumed`: how many patients where no cohort is found."""
    missing: list[Missing] = []
    said: list[str] = []
    cohort = _cohort(context, missing)
    prepared = _prepared(context, cohort)
    patients, basis = _patients(context, assumed, prepared, cohort, missing, said)
    rounds = _rounds(context, patients, missing, said)
    ids = sorted({id for round in rounds for id in (*round.test, *round.validation)})
    slices, slices_basis = _slices(context, ids, prepared, said)
    return Counts(patients, rounds, slices, basis, slices_basis, tuple(said), tuple(missing), prepared)


def _cohort(context: Context, missing: list[Missing]) -> Cohort | None:
    try:
        if context.cohort == NO_COHORT:
            raise CohortError("none is named: give --cohort FOLDER, or write `cohort:` into the study file")
        return find_cohort(context.cohort, context.study.problem)
    except CohortError as error:
        if context.cohort == NO_COHORT or context.cohort.exists():  # one that is not there is said with its line
            missing.append(Missing("cohort", str(error).split("\n")[0]))
        return None


def _prepared(context: Context, cohort: Cohort | None) -> bool:
    """Whether patients are prepared, those of the cohort, on this study's grid, and are still there."""
    if not context.folder.prepared.exists():
        return False
    try:
        left, subjects = read_stage(context.folder.prepared, "prepare"), list(context.subjects.values())
        known = {*context.subjects, *(fault.subject_id for fault in context.left_out)}
    except (StoreError, StageError, OSError, KeyError):
        return False
    if cohort is not None:
        found = {*(one.id for one in cohort.subjects), *(fault.subject_id for fault in cohort.faults)}
        if (left["root"], known) != (str(cohort.root.resolve()), found):
            return False
    return bool(subjects) and subjects[0].shape == context.study.grid.shape


def _patients(
    context: Context,
    assumed: int | None,
    prepared: bool,
    cohort: Cohort | None,
    missing: list[Missing],
    said: list[str],
) -> tuple[dict[str, Patient], Basis]:
    if prepared:
        for fault in context.left_out:
            missing.append(Missing("cohort", f"left out when prepared: {fault}"))
        return {
            s.id: Patient(s.id, s.patient, s.grade, s.labels is not None, s.variables)
            for s in context.subjects.values()
        }, "counted"
    if cohort is None:
        return _assumed(assumed or ASSUMED_PATIENTS, context.study.problem, said), "estimate"
    said.extend(cohort.notes)
    if cohort.faults:
        at_fault = len({fault.subject_id for fault in cohort.faults})
        missing.append(Missing("cohort", f"{at_fault} invalid patients: {cohort.faults[0]}, … (see --skip-bad)"))
    said.append("Patients are counted from the cohort's files; voxels, which `prepare` checks, were not read.")
    return {
        s.id: Patient(s.id, s.patient, s.grade, s.mask is not None, s.variables) for s in cohort.subjects
    }, "counted"


def _assumed(number: int, problem: Problem, said: list[str]) -> dict[str, Patient]:
    """Patients where no cohort was found; of gliomas with the grades of BraTS 2020, else as many of each class."""
    ids = [f"Patient{place:05d}" for place in range(number)]
    if problem == GLIOMA:
        said.append(f"No cohort was found: {number} patients are assumed (--patients), {ASSUMED_HGG:.0%} of them HGG.")
        positive = round(number * ASSUMED_HGG)
        return {id: Patient(id, id, int(place < positive), True) for place, id in enumerate(ids)}
    said.append(f"No cohort was found: {number} patients are assumed (--patients), as many of each {problem.asked}.")
    count = len(problem.classes)
    return {id: Patient(id, id, place % count if count else None, True) for place, id in enumerate(ids)}


def _rounds(
    context: Context, patients: Mapping[str, Patient], missing: list[Missing], said: list[str]
) -> tuple[Round, ...]:
    """Of the split as it would be made now: an earlier one in the folder can be of other patients or settings."""
    config, problem = context.study.split, context.study.problem
    grades = {patient.id: patient.grade for patient in patients.values()}
    variables = {patient.id: patient.variables for patient in patients.values()}
    whose = patients_of(patients.values())
    try:
        elsewhere = names_of(one for other in config.exclude for one in find_cohort(other, problem).subjects)
        left_out = scans_of(whose, elsewhere)
        grades = {id: grade for id, grade in grades.items() if id not in left_out}
        if several := several_scans({id: whose[id] for id in grades}):
            said.append(f"{len(several)} patients have several scans, which stay in one part and count as one.")
        split, numbers = _made(config, grades, whose, variables, problem)
        said.extend(class_lines(split, numbers, grades, problem))
        said.extend(f"warning: {warning}" for warning in class_warnings(split, numbers, grades, problem))
        if GRADE.name in context.study.tasks:
            refuse_missing_class(split, numbers, grades, problem)
        return _folds(split, numbers)
    except (CohortError, SplitError) as error:
        if all(path.exists() for path in (config.file, *config.exclude) if path):  # else it is said with its line
            missing.append(Missing("split", str(error).split("\n")[0]))
    try:
        return _folds(
            *_made(
                config.model_copy(
                    update={
                        "scheme": "holdout",
                        "file": None,
                        "fold": None,
                        "train_only": {},
                        "together": None,
                        "by": None,
                    }
                ),
                grades,
                whose,
                variables,
                problem,
            )
        )
    except SplitError:
        return ()


def _made(
    config: SplitConfig, grades: Mapping[str, int | None], whose: Patients, variables: Variables, problem: Problem
) -> tuple[Split, tuple[int, ...]]:
    """The split, and the folds of it that are in use."""
    split = split_patients(config, grades, whose, variables, problem)
    return split, config.numbers(split)


def _folds(split: Split, numbers: Sequence[int]) -> tuple[Round, ...]:
    return rounds_of(split, {number: split.fold(number) for number in numbers})


def _slices(
    context: Context, ids: Sequence[str], prepared: bool, said: list[str]
) -> tuple[dict[Plane, dict[str, float]], Basis]:
    config = context.study.slices
    if prepared and config.select != "external" and (config.by is None or context.folder.asked(config.by).exists()):
        exact = {plane: asked_slices(context, plane, ids) for plane in config.planes}
        return {plane: {id: float(len(one)) for id, one in found.items()} for plane, found in exact.items()}, "counted"
    preset = "all brain" if config.select == "brain" else context.study.grid.preset
    numbers = {
        plane: assumed_slices(context.study, preset, plane, config.every, config.trim) for plane in config.planes
    }
    if any(model.asked_by_slice for model in context.study.models):
        shown = ", ".join(f"{plane} {number:.1f}" for plane, number in numbers.items())
        grid = f"the grid `{option_words(context.study.grid.preset, context.study.problem)}`"
        known = f"as in BraTS on {grid}" if context.study.problem == GLIOMA else f"assumed on {grid} until `prepare`"
        said.append(f"Slices per patient, {known}: {shown}.")
    return {plane: dict.fromkeys(ids, number) for plane, number in numbers.items()}, "estimate"


def assumed_slices(study: Study, preset: str, plane: Plane, every: int, trim: int) -> float:
    """How many slices of a plane hold the target in a patient on a grid of that preset, on average: every `every`-th,
    without `trim` at either end."""
    share = TUMOUR_SHARE.get(preset, {}).get(plane, CROP_SHARE)
    if study.problem != GLIOMA and preset in ("brain", "study"):
        share = OTHER_SHARE
    whole = study.grid.shape[INDEX_AXIS[plane]] * share
    return max(whole - 2 * trim, 0) / every


def first_folds(counts: Counts) -> list[Fold]:
    """The folds that a language model learns from: one per round."""
    return [next(iter(round.folds.values())) for round in counts.rounds]


def asked_ids(counts: Counts, model: ModelConfig, study: Study, task: str) -> list[str]:
    """The patients whom a model is asked about: those tested, and validation patients where these choose for its camp
    or teach how its slices become a grade; these once per round where it is built anew for each."""
    ids = list(counts.tested)
    if study.on_validation(model, task):
        ids += [id for round in counts.rounds for id in round.validation]
    asked = ids if model.built_each_round else list(dict.fromkeys(ids))
    return [id for id in asked if counts.patients[id].teaches(task)]


def questions_by_place(counts: Counts, model: ModelConfig, study: Study) -> dict[tuple[Plane, str], float]:
    """How many questions a model is asked slice by slice, by plane and task, repeats and validation patients among
    them."""
    tasks = model.scope.tasks if model.scope else ()
    asked: dict[tuple[Plane, str], float] = {
        (plane, task): sum(by.get(id, 0) for id in asked_ids(counts, model, study, task))
        for plane, by in counts.slices.items()
        for task in study.tasks
        if task in tasks
    }
    again, first = study.consistency, study.slices.planes[0]
    if again is not None and (first, again.task) in asked and model.samples(again.task):
        slices = counts.slices[first]
        places = [id for id in counts.tested if slices.get(id, 0) and counts.patients[id].teaches(again.task)]
        asked[first, again.task] += (again.repeats - 1) * min(again.subjects, len(places))
    for task in tasks:
        if (first, task) in asked:
            asked[first, task] += control_count(counts, model, study, task)
    return asked


def control_count(counts: Counts, model: ModelConfig, study: Study, task: str) -> float:
    """How many questions about changed images a model is asked."""
    controls = study.controls
    if controls is None or not model.sees_image_alone(study):
        return 0
    sampled = controlled({id: counts.patients[id].grade for id in counts.tested}, controls.patients, study.split.seed)
    known = [id for id in sampled if counts.patients[id].teaches(task)]
    slices = counts.slices[study.slices.planes[0]]
    per_slice = model.scope is not None and model.scope.per_slice
    places = sum(min(controls.slices, slices.get(id, 0)) if per_slice else 1 for id in known)
    return places * len(controls.images)


def images_count(counts: Counts, model: ModelConfig, study: Study) -> float:
    """How many slices are shown, each once."""
    tasks = [task for task in study.tasks if task in model.spoken_tasks]
    shown = {id for task in tasks for id in asked_ids(counts, model, study, task)}
    altered = max((control_count(counts, model, study, task) for task in tasks), default=0)
    return altered + sum(by.get(id, 0) for by in counts.slices.values() for id in shown)
