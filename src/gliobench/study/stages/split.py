"""Stage `split`: who trains, who validates, who is tested; written to a file with a checksum."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gliobench.cohort.patients import names_of, scans_of, several_scans
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import named
from gliobench.cohort.variables import stated
from gliobench.grid.split_file import read_split, write_split
from gliobench.grid.splits import (
    Ids,
    Patients,
    Split,
    SplitError,
    leave_one_out,
    make_cross_validation,
    make_split,
    reference_split,
)
from gliobench.integrity import file_digest
from gliobench.study.parts.split import SplitConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context
from gliobench.study.state.folder import fingerprint
from gliobench.tasks.grade import GRADE

ODD = 0.001  # below this chance a part's grades are said to be in another proportion


Variables = Mapping[str, Mapping[str, str]]  # by scan, what the cohort's table says of the patient


def split_patients(
    part: SplitConfig,
    grades: Mapping[str, int | None],
    patients: Patients,
    variables: Variables,
    problem: Problem = GLIOMA,
) -> Split:
    """The split that a study file asks for, of the scans of `grades`, each one of `patients`. Raises SplitError."""
    always = _only_training(part, grades, variables)
    grades = {id: grade for id, grade in grades.items() if id not in always}
    whose = _together(part, patients, variables) if part.together else patients
    if part.by:
        return _left_out(part, grades, patients, variables)
    drawn = _drawn(part, grades, whose, problem.asked)
    return replace(drawn, always=always, patients=patients if part.together else drawn.patients)


def _together(part: SplitConfig, patients: Patients, variables: Variables) -> Patients:
    """Each scan with the group of its patient, which is split as one patient is. Raises SplitError for a column that
    the table has not, and where a patient's scans are of several groups."""
    assert part.together is not None
    _said("together", part.together, part.file, patients, variables)
    return {id: part.unit(patient, variables[id]) for id, patient in patients.items()}


def _left_out(part: SplitConfig, grades: Mapping[str, int | None], patients: Patients, variables: Variables) -> Split:
    """One fold for each value of a column; who has none is in no part."""
    assert part.by is not None
    said = _said("by", part.by, None, {id: patients[id] for id in grades}, variables)
    known = {id: grade for id, grade in grades.items() if said[id]}
    return leave_one_out(known, patients, said, validation_share=part.validation_share, seed=part.seed, by=part.by)


def _said(key: str, column: str, file: Path | None, patients: Patients, variables: Variables) -> dict[str, str]:
    """What a column says of the scans of `patients`; an empty text where it says nothing. Raises SplitError where it
    says nothing of anybody, and where a patient's scans differ."""
    said = {id: stated(variables[id], column) or "" for id in patients}
    if file or not any(said.values()):
        columns = ", ".join(sorted({key for one in variables.values() for key in one})) or "none"
        why = "a split file says who is in which part" if file else "the cohort's table has no such column"
        raise SplitError(f"split.{key}: {column}: {why}; its columns for this are {columns}")
    groups: dict[str, set[str]] = {}
    for id, patient in patients.items():
        groups.setdefault(patient, set()).add(said[id])
    if several := sorted(patient for patient, found in groups.items() if len(found) > 1):
        raise SplitError(f"split.{key}: {column}: the scans of {named(several)} are of several groups")
    return said


def _only_training(part: SplitConfig, ids: Iterable[str], variables: Variables) -> Ids:
    """The patients who are trained on and never tested. Raises SplitError where nobody is one of those named."""
    if not part.train_only:
        return ()
    found = tuple(id for id in ids if part.only_trains(variables[id]))
    if not found or part.file:
        said = ", ".join(f"{key}: {value}" for key, value in part.train_only.items())
        columns = ", ".join(sorted({key for one in variables.values() for key in one})) or "none"
        why = "a split file names them itself, under `always`" if part.file else "the cohort's table says so of nobody"
        raise SplitError(f"split.train_only: {said}: {why}; its columns for this are {columns}")
    return found


def _drawn(part: SplitConfig, grades: Mapping[str, int | None], patients: Patients, asked: str) -> Split:
    if part.file:
        return read_split(part.file, {id: patients[id] for id in grades})
    if part.scheme == "reference-study":
        return reference_split({id: patients[id] for id in grades})
    if part.scheme == "cross-validation":
        share = part.validation_share
        return make_cross_validation(
            grades, patients, folds=part.folds, validation_share=share, seed=part.seed, asked=asked
        )
    return make_split(grades, patients, test_share=part.test_share, folds=part.folds, seed=part.seed, asked=asked)


def split(context: Context) -> None:
    """Split the prepared patients as the study says, or load the split that it names."""
    part, grades = context.study.split, _grades(context)
    if left_out := len(context.subjects) - len(grades):
        context.voice.say(
            f"{left_out} of {len(context.subjects)} patients are kept for other cohorts ({part.exclude[0]}, …)"
        )
    variables = {id: subject.variables for id, subject in context.subjects.items()}
    with context.stage(Stage("split"), split_inputs(context), lambda: [context.folder.split]) as to_do:
        if to_do:
            made = split_patients(part, grades, context.patients, variables, context.study.problem)
            _hold_against(context, made, grades)
            write_split(made, context.folder.split)
    if not to_do:  # folds in use and tasks, which are no inputs of the split, can be others than then
        made = read_split(context.folder.split, context.patients, checksum=True)
        _hold_against(context, made, grades)


def _grades(context: Context) -> dict[str, int | None]:
    """The prepared scans, without those kept for other cohorts, each with its grade."""
    excluded = context.study.split.exclude
    elsewhere = names_of(one for cohort in excluded for one in find_cohort(cohort, context.study.problem).subjects)
    left_out = scans_of(context.patients, elsewhere)
    return {id: subject.grade for id, subject in context.subjects.items() if id not in left_out}


def split_inputs(context: Context) -> str:
    """Fingerprint of everything that decides who is in which part."""
    part, grades = context.study.split, _grades(context)
    several = several_scans({id: context.patients[id] for id in sorted(grades)})
    whose = {"patients": several} if several else {}  # what earlier versions split scan by scan is split again
    variables = {id: subject.variables for id, subject in context.subjects.items()}
    if part.together:
        whose["together"] = {id: [variables[id].get(part.together, "")] for id in grades}
    if part.by:
        whose["by"] = {id: [variables[id].get(part.by, "")] for id in grades}
    if part.train_only:
        whose["train only"] = {id: ["yes"] for id in grades if part.only_trains(variables[id])}
    return fingerprint(grades=grades, split=part.model_dump(exclude={"fold"}), source=_source(part), **whose)


def _hold_against(context: Context, made: Split, grades: Mapping[str, int | None]) -> None:
    """Say every part's classes and what is odd about them. Raises SplitError where no model could learn a class."""
    numbers, problem = context.study.split.numbers(made), context.study.problem
    whose = {id: context.patients[id] for id in grades}
    if several := several_scans(whose):
        context.voice.say(
            f"{len(grades)} scans of {len(set(whose.values()))} patients: {len(several)} have several, "
            "which stay in one part and count as one patient"
        )
    if GRADE.name in context.study.tasks:
        refuse_missing_class(made, numbers, grades, problem)
    for line in class_lines(made, numbers, grades, problem):
        context.voice.say(line)
    for warning in class_warnings(made, numbers, grades, problem):
        context.voice.say(f"warning: {warning}")
    context.voice.say(f"the split is {made.source}, checksum {made.checksum[:12]}")


def _source(part: SplitConfig) -> str | None:
    """What a split file says and how it is read: positions once lay on sorted ids, and now on the study's own order."""
    if part.file is None:
        return None
    return f"{'in the study order: ' if part.file.suffix == '.npz' else ''}{file_digest(part.file)}"


def class_lines(
    split: Split, numbers: Sequence[int], grades: Mapping[str, int | None], problem: Problem
) -> Iterator[str]:
    """A line per part of the split in use: how many patients, and of which grades; and who is in no part."""
    for name, ids in _parts(split, numbers):
        patients = len({split.patients.get(id, id) for id in ids})
        scans = f", {len(ids)} scans" if len(ids) != patients else ""
        yield f"{name}: {patients} patient{'s' * (patients != 1)}{scans} ({_classes(ids, grades, problem)})"
    if left := sorted(grades.keys() - set(split.everybody)):
        yield f"in no part of the split: {len(left)} patients ({', '.join(left[:5])}{', …' if len(left) > 5 else ''})"


def class_warnings(
    split: Split, numbers: Sequence[int], grades: Mapping[str, int | None], problem: Problem
) -> Iterator[str]:
    """What is odd about the classes of a part: one of them is missing, or they are in quite another proportion.

    Another proportion: two-sided probability below 0.001 of drawing as many of a class or stranger by chance from the
    split's patients (hypergeometric, which is Fisher's exact test).
    """
    everybody = _graded(split.everybody, grades)
    for name, ids in _parts(split, numbers):
        own = _graded(ids, grades)
        for grade in sorted(set(everybody) - set(own)):
            found = _classes(ids, grades, problem)
            yield f"{name} has no {problem.classes[grade]} ({found}), the cohort {everybody.count(grade)}"
        if set(own) == set(everybody) and (chance := _chance(own, everybody)) < ODD:
            yield (
                f"{name} has the {_several(problem)} in another proportion than the cohort "
                f"({_classes(ids, grades, problem)}; all: {_counts(everybody, problem)}; p = {chance:.1g})"
            )


def refuse_missing_class(
    split: Split, numbers: Sequence[int], grades: Mapping[str, int | None], problem: Problem
) -> None:
    """Raise SplitError where the training patients of a fold lack a class that others of the split have."""
    everybody = _graded(split.everybody, grades)
    for number in numbers:
        train = split.fold(number).train
        if lost := sorted(set(everybody) - set(_graded(train, grades))):
            raise SplitError(
                f"fold {number}: no training patient is {' or '.join(problem.classes[grade] for grade in lost)} "
                f"({_classes(train, grades, problem)}), {everybody.count(lost[0])} of the split are: no model could "
                f"learn it; use another split, or leave `{GRADE.name}` out of the tasks"
            )


def _parts(split: Split, numbers: Sequence[int]) -> Iterator[tuple[str, Sequence[str]]]:
    for number in numbers:
        fold = split.fold(number)
        yield f"fold {number}, training", fold.train
        yield f"fold {number}, validation", fold.validation
        if split.crossed:
            yield f"fold {number}, test", fold.test
    if not split.crossed:
        yield "test", split.test


def _graded(ids: Sequence[str], grades: Mapping[str, int | None]) -> list[int]:
    return [grade for id in ids if (grade := grades.get(id)) is not None]


def _classes(ids: Sequence[str], grades: Mapping[str, int | None], problem: Problem) -> str:
    own = _graded(ids, grades)
    ungraded = len(ids) - len(own)
    return ", ".join(
        [*([_counts(own, problem)] if own else []), *([f"{ungraded} without a {problem.asked}"] if ungraded else [])]
    )


def _counts(grades: Sequence[int], problem: Problem) -> str:
    return ", ".join(f"{grades.count(grade)} {problem.classes[grade]}" for grade in sorted(set(grades), reverse=True))


def _several(problem: Problem) -> str:
    return f"{problem.asked}{'es' if problem.asked.endswith('s') else 's'}"


def _chance(own: Sequence[int], everybody: Sequence[int]) -> float:
    """Two-sided p of Fisher's exact test of a part's classes against the others'; of more than two the smallest of any
    class against the rest, times their number (Bonferroni); 1 where there is one class only."""
    from scipy.stats import fisher_exact

    classes = sorted(set(everybody))

    def against_rest(one: int) -> float:
        inside, total = own.count(one), everybody.count(one)
        rest, total_rest = len(own) - inside, len(everybody) - total
        return float(fisher_exact([[inside, rest], [total - inside, total_rest - rest]]).pvalue)

    if len(classes) < 3:
        return against_rest(classes[-1]) if classes else 1.0
    return min(1.0, len(classes) * min(map(against_rest, classes)))
