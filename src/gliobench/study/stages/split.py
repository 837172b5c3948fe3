"""Stage `split`: who trains, who validates, who is tested; written to a file with a checksum."""

from collections.abc import Iterator, Mapping, Sequence

from gliobench.cohort.patients import names_of, scans_of, several_scans
from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import GRADE_NAMES
from gliobench.grid.split_file import read_split, write_split
from gliobench.grid.splits import Patients, Split, SplitError, make_cross_validation, make_split, reference_split
from gliobench.integrity import file_digest
from gliobench.study.config.study import SplitConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context
from gliobench.study.state.folder import fingerprint
from gliobench.tasks.grade import GRADE

ODD = 0.001  # below this chance a part's grades are said to be in another proportion


def split_patients(part: SplitConfig, grades: Mapping[str, int | None], patients: Patients) -> Split:
    """The split that a study file asks for, of the scans of `grades`, each one of `patients`. Raises SplitError."""
    if part.file:
        return read_split(part.file, {id: patients[id] for id in grades})
    if part.scheme == "reference-study":
        return reference_split({id: patients[id] for id in grades})
    if part.scheme == "cross-validation":
        share = part.validation_share
        return make_cross_validation(grades, patients, folds=part.folds, validation_share=share, seed=part.seed)
    return make_split(grades, patients, test_share=part.test_share, folds=part.folds, seed=part.seed)


def split(context: Context) -> None:
    """Split the prepared patients as the study says, or load the split that it names."""
    part = context.study.split
    grades = {subject.id: subject.grade for subject in context.subjects.values()}
    elsewhere = names_of(one for cohort in part.exclude for one in find_cohort(cohort).subjects)
    if left_out := scans_of(context.patients, elsewhere):
        context.voice.say(
            f"{len(left_out)} of {len(grades)} patients are kept for other cohorts ({part.exclude[0]}, …)"
        )
    grades = {id: grade for id, grade in grades.items() if id not in left_out}
    several = several_scans({id: context.patients[id] for id in sorted(grades)})
    whose = {"patients": several} if several else {}  # what earlier versions split scan by scan is split again
    inputs = fingerprint(grades=grades, split=part.model_dump(exclude={"fold"}), source=_source(part), **whose)
    with context.stage(Stage("split"), inputs, lambda: [context.folder.split]) as to_do:
        if to_do:
            made = split_patients(part, grades, context.patients)
            _hold_against(context, made, grades)
            write_split(made, context.folder.split)
    if not to_do:  # folds in use and tasks, which are no inputs of the split, can be others than then
        made = read_split(context.folder.split, context.patients, checksum=True)
        _hold_against(context, made, grades)


def _hold_against(context: Context, made: Split, grades: Mapping[str, int | None]) -> None:
    """Say every part's grades and what is odd about them. Raises SplitError where no model could learn a grade."""
    numbers = context.study.split.numbers(made)
    whose = {id: context.patients[id] for id in grades}
    if several := several_scans(whose):
        context.voice.say(
            f"{len(grades)} scans of {len(set(whose.values()))} patients: {len(several)} have several, "
            "which stay in one part and count as one patient"
        )
    if GRADE.name in context.study.tasks:
        refuse_missing_class(made, numbers, grades)
    for line in class_lines(made, numbers, grades):
        context.voice.say(line)
    for warning in class_warnings(made, numbers, grades):
        context.voice.say(f"warning: {warning}")
    context.voice.say(f"the split is {made.source}, checksum {made.checksum[:12]}")


def _source(part: SplitConfig) -> str | None:
    """What a split file says and how it is read: positions once lay on sorted ids, and now on the study's own order."""
    if part.file is None:
        return None
    return f"{'in the study order: ' if part.file.suffix == '.npz' else ''}{file_digest(part.file)}"


def class_lines(split: Split, numbers: Sequence[int], grades: Mapping[str, int | None]) -> Iterator[str]:
    """A line per part of the split in use: how many patients, and of which grades; and who is in no part."""
    for name, ids in _parts(split, numbers):
        patients = len({split.patients.get(id, id) for id in ids})
        scans = f", {len(ids)} scans" if len(ids) != patients else ""
        yield f"{name}: {patients} patient{'s' * (patients != 1)}{scans} ({_classes(ids, grades)})"
    named = {id for part in (split.test, *split.folds) for id in part}
    if left := sorted(grades.keys() - named):
        yield f"in no part of the split: {len(left)} patients ({', '.join(left[:5])}{', …' if len(left) > 5 else ''})"


def class_warnings(split: Split, numbers: Sequence[int], grades: Mapping[str, int | None]) -> Iterator[str]:
    """What is odd about the classes of a part: one of them is missing, or they are in quite another proportion.

    Another proportion: two-sided probability below 0.001 of drawing as many HGG or stranger by chance from the split's
    patients (hypergeometric, which is Fisher's exact test).
    """
    everybody = _graded([id for part in (split.test, *split.folds) for id in part], grades)
    for name, ids in _parts(split, numbers):
        own = _graded(ids, grades)
        for grade in sorted(set(everybody) - set(own)):
            yield f"{name} has no {GRADE_NAMES[grade]} ({_classes(ids, grades)}), the cohort {everybody.count(grade)}"
        if set(own) == set(everybody) and (chance := _chance(own, everybody)) < ODD:
            yield (
                f"{name} has the grades in another proportion than the cohort ({_classes(ids, grades)}; all: "
                f"{_counts(everybody)}; p = {chance:.1g})"
            )


def refuse_missing_class(split: Split, numbers: Sequence[int], grades: Mapping[str, int | None]) -> None:
    """Raise SplitError where the training patients of a fold lack a grade that others of the split have."""
    everybody = _graded([id for part in (split.test, *split.folds) for id in part], grades)
    for number in numbers:
        train = split.fold(number).train
        if lost := sorted(set(everybody) - set(_graded(train, grades))):
            raise SplitError(
                f"fold {number}: no training patient is {' or '.join(GRADE_NAMES[grade] for grade in lost)} "
                f"({_classes(train, grades)}), {everybody.count(lost[0])} of the split are: no model could learn it; "
                "use another split, or leave `grade` out of the tasks"
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


def _classes(ids: Sequence[str], grades: Mapping[str, int | None]) -> str:
    own = _graded(ids, grades)
    ungraded = len(ids) - len(own)
    return ", ".join([*([_counts(own)] if own else []), *([f"{ungraded} without a grade"] if ungraded else [])])


def _counts(grades: Sequence[int]) -> str:
    return ", ".join(f"{grades.count(grade)} {GRADE_NAMES[grade]}" for grade in sorted(set(grades), reverse=True))


def _chance(own: Sequence[int], everybody: Sequence[int]) -> float:
    """Two-sided p of Fisher's exact test of a part's grades against the others'; 1 where there is one grade only."""
    from scipy.stats import fisher_exact

    high, total_high = sum(own), sum(everybody)
    low, total_low = len(own) - high, len(everybody) - total_high
    return float(fisher_exact([[high, low], [total_high - high, total_low - low]]).pvalue)
