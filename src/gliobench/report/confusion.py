"""Confusion matrices: which class patients have, and which one a model calls."""

from dataclasses import dataclass

from gliobench.report.contents import ReportContents


@dataclass(frozen=True)
class Confusion:
    """One model's counts of scans in one plane. `rows`: of each true class its name and counts, in the order of
    `columns`: called each class, and none of them."""

    model: str
    plane: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def confusions(contents: ReportContents, models: list[str]) -> list[Confusion]:
    """One per model and plane, in the order of `models`; none with two classes, whose figures say the same."""
    return counted(contents, models) if contents.problem.several else []


def counted(contents: ReportContents, models: list[str]) -> list[Confusion]:
    """One per model and plane, in the order of `models`, for any number of classes."""
    votes, problem = contents.votes[contents.votes["grade"].notna()], contents.problem
    columns, none = (*problem.classes, "none or unanswered"), problem.none
    found = []
    for model in models:
        for plane, rows in votes[votes["model"] == model].groupby("plane", sort=True):
            called, truth = rows["predicted"].astype("Int64").fillna(none), rows["grade"].astype("Int64")
            counts = tuple(
                (name, tuple(int(((truth == number) & (called == one)).sum()) for one in range(none + 1)))
                for number, name in enumerate(problem.classes)
            )
            found.append(Confusion(model, str(plane), columns, counts))
    return found
