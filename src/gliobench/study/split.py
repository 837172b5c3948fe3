"""Stage `split`: who is learnt from, who decides, who is tested; written to a file with a checksum."""

from collections.abc import Mapping

from gliobench.cohort.read import find_cohort
from gliobench.grid.splits import Split, make_cross_validation, make_split, read_split, write_split
from gliobench.integrity import file_digest
from gliobench.study.config import SplitPart
from gliobench.study.context import Context
from gliobench.study.folder import fingerprint


def split_patients(part: SplitPart, grades: Mapping[str, int | None]) -> Split:
    """The split that a study file asks for, of patients by id. Raises SplitError."""
    if part.file:
        return read_split(part.file, list(grades))
    if part.scheme == "cross-validation":
        return make_cross_validation(grades, folds=part.folds, validation_share=part.validation_share, seed=part.seed)
    return make_split(grades, test_share=part.test_share, folds=part.folds, seed=part.seed)


def split(context: Context) -> None:
    """Split the prepared patients as the study says, or load the split that it names."""
    part = context.study.split
    grades = {subject.id: subject.grade for subject in context.subjects.values()}
    elsewhere = {subject.id for cohort in part.exclude for subject in find_cohort(cohort).subjects}
    if left_out := sorted(grades.keys() & elsewhere):
        context.voice.say(
            f"{len(left_out)} of {len(grades)} patients are kept for other cohorts ({part.exclude[0]}, …)"
        )
    grades = {id: grade for id, grade in grades.items() if id not in elsewhere}
    source = file_digest(part.file) if part.file else None
    inputs = fingerprint(grades=grades, split=part.model_dump(exclude={"fold"}), source=source)
    with context.stage("split", inputs, lambda: [context.folder.split]) as to_do:
        if not to_do:
            return
        made = split_patients(part, grades)
        write_split(made, context.folder.split)
        for number in part.numbers(made):
            fold = made.fold(number)
            context.voice.say(
                f"fold {number} of {len(made.folds)}: {len(fold.train)} patients to learn from, "
                f"{len(fold.validation)} to validate on, {len(fold.test)} to test (checksum {made.checksum[:12]})"
            )
