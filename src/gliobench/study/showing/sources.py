"""What the report says of where the patients come from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gliobench.cohort.sources import COLUMNS, SOURCE
from gliobench.cohort.variables import stated
from gliobench.study.state.context import Context
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    from gliobench.scoring.origins import OriginTest


def source_cautions(context: Context) -> Iterator[str]:
    """That the class can be read off the source, where these patients show it."""
    found = _tested(context)
    if found is None or not found.readable:
        return
    problem = context.study.problem
    auc = "" if found.auc is None else f" (AUC {found.auc:.2f})"
    beside = any(config.name == SOURCE for config in context.study.models)
    yield (
        f"The {problem.asked} can be read off the source: of {found.patients} patients from {found.sources} sources, "
        f"{found.pure} are of a source with one {problem.asked} only, and each source's commonest one is right for "
        f"{found.right}{auc}; the commonest of all for {found.commonest} (permutation p = {found.p:.2g}). A model can "
        f"tell them apart by the scanner or the hospital: read its figures beside the baseline `{SOURCE}`"
        f"{'' if beside else f', which this study lacks (`{{kind: baseline, name: {SOURCE}}}`)'}, and beside the AUC "
        "within sources."
    )


def source_notes(context: Context) -> Iterator[str]:
    """That the source tells nothing, or is not known, where a class is asked for."""
    problem = context.study.problem
    if GRADE.name not in context.study.tasks:
        return
    if not any(stated(one.variables, SOURCE) for one in context.subjects.values()):
        yield (
            f"Where the patients come from is not known, so it was not checked whether the {problem.asked} can be read "
            f"off the source: a column of the table ({', '.join(COLUMNS)}) says it."
        )
    elif (found := _tested(context)) is not None and not found.readable:
        yield (
            f"It was not found that the {problem.asked} can be read off the source ({found.patients} patients from "
            f"{found.sources} sources, permutation p = {found.p:.2g})."
        )


def _tested(context: Context) -> "OriginTest | None":
    """The test over the patients of the split, each once, with the highest class of its scans and its first source."""
    from gliobench.scoring.origins import origin_test

    if GRADE.name not in context.study.tasks:
        return None
    classes, origins = dict[str, int](), dict[str, str]()
    for id in context.split.everybody:
        subject, patient = context.subjects[id], context.patients[id]
        origin = stated(subject.variables, SOURCE)
        if origin is not None and subject.grade is not None:
            classes[patient] = max(subject.grade, classes.get(patient, subject.grade))
            origins.setdefault(patient, origin)
    return origin_test(list(classes.values()), [origins[patient] for patient in classes], context.study.problem)
