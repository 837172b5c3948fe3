"""Scores of several sites as one: each patient counts once, whichever site it is from."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from gliobench.cohort.problem import Problem
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.score import SubjectRow, VoteRow
from gliobench.scoring.summary import Scores, problem_of, tables_of
from gliobench.scoring.votes import Votes, two_probabilities

OF_PROBABILITIES = "brier"  # a metric of all models that give a probability, and of no others


def pool(sites: Mapping[str, Scores], bootstrap: Bootstrap | None = None) -> Scores:
    """The tables over the patients of all sites, by name, who are named `<site>/<id>` from here on.

    Values and intervals are those of one study of all these patients: patients are resampled, with all their scans, and
    sites are not. Several sites are the sources of metrics within sources, whatever each site's own were. `bootstrap`:
    10,000 resamples, seed 0, where None. Each site's summary has to be of its own tables.
    """
    problem = problem_of(next(iter(sites.values())).votes)
    rows = [row for site, scores in sites.items() for row in _rows(site, scores.per_subject)]
    votes = [vote for site, scores in sites.items() for vote in _votes(site, scores, problem)]
    return tables_of(rows, votes, bootstrap or Bootstrap(), problem)


def _rows(site: str, per_subject: pd.DataFrame) -> Sequence[SubjectRow]:
    names = [field.name for field in fields(SubjectRow)]
    place = {name: number for number, name in enumerate(names)}
    return [
        replace(
            SubjectRow(*row), subject=f"{site}/{row[place['subject']]}", patient=f"{site}/{row[place['patient']]}",
            grade=_whole(row[place["grade"]]),
        )
        for row in per_subject[names].itertuples(index=False, name=None)
    ]  # fmt: skip


def _votes(site: str, scores: Scores, problem: Problem) -> Sequence[VoteRow]:
    summary = scores.summary
    given = summary.loc[summary["metric"] == OF_PROBABILITIES, ["model", "plane"]]
    with_probabilities = set(given.itertuples(index=False, name=None))
    return [
        VoteRow(
            *(row["model"], row["plane"], f"{site}/{row['subject']}", f"{site}/{row['patient']}"),
            grade=_whole(row["grade"]),
            votes=Votes(
                counts=tuple(int(row[column]) for column in problem.class_columns),
                none=int(row[problem.none_column]),
                unanswered=int(row["unanswered"]),
                probabilities=_probabilities(row, problem)
                if (row["model"], row["plane"]) in with_probabilities
                else None,
            ),
            predicted=_whole(row["predicted"]),
            origin=site,
            aggregate=row["aggregate"],
            problem=problem,
        )
        for row in scores.votes.to_dict("records")
    ]


def _probabilities(row: Mapping[Any, Any], problem: Problem) -> tuple[float, ...] | None:
    """The probabilities that a model gave; the table has none where no class was called, or the class is unknown."""
    if pd.isna(row["predicted"]) or pd.isna(row["grade"]):
        return None
    if problem.several:
        return tuple(float(row[f"score_{column}"]) for column in problem.class_columns)
    return two_probabilities(problem, float(row["score"]))


def _whole(number: Any) -> int | None:
    return None if pd.isna(number) else int(number)


def classes_of(scores: Scores, count: int) -> tuple[int, tuple[int, ...]]:
    """How many patients there are, and how many of each of `count` classes; of several scans the highest."""
    both = pd.concat([table[["patient", "grade"]] for table in (scores.per_subject, scores.votes)])
    grades = both.groupby("patient")["grade"].max()
    return len(grades), tuple(int((grades == number).sum()) for number in range(count))
