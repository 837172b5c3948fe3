"""From the values of every patient to the tables: means over patients with their intervals."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from gliobench.cohort.patients import several_scans
from gliobench.cohort.problem import GLIOMA, Problem, with_article
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.grades import ACCURACY
from gliobench.scoring.intervals import Bootstrap, Figure, agresti_coull, undefined
from gliobench.scoring.metric import AnswerMetric
from gliobench.scoring.registry import grade_metrics, named
from gliobench.scoring.score import VOLUME, SubjectRow, SubjectScores, VoteRow
from gliobench.scoring.votes import GradedPatient
from gliobench.tasks.grade import GRADE

PER_SUBJECT = (
    *("model", "task", "source", "plane", "subject", "patient", "grade", "metric", "value"),
    *("n_asked", "n_answered", "n_scans"),
)
SUMMARY = (
    *("model", "task", "source", "plane", "metric", "unit", "value", "low", "high", "interval", "reason"),
    *("n_subjects", "n_asked", "n_answered", "coverage"),
)
CLASSES = ("grade", "predicted")  # columns of numbers of classes, which may be missing
OF_PROBLEM = "problem"  # in the attributes of a table of votes: whose classes they are, where it is not the default
Group = tuple[str, str, str, str, str]


@dataclass(frozen=True, eq=False)
class Scores:
    """The three tables; their columns are `PER_SUBJECT`, `SUMMARY` and `votes_columns`."""

    per_subject: pd.DataFrame
    summary: pd.DataFrame
    votes: pd.DataFrame

    def of(self, models: Collection[str]) -> "Scores":
        """The rows of some models."""
        tables = (self.per_subject, self.summary, self.votes)
        return Scores(*(table[table["model"].isin(models)] for table in tables))


def votes_columns(problem: Problem) -> tuple[str, ...]:
    """The columns of the table of votes: the counts of each class, and their scores; of two classes the proportion and
    the score of the positive one."""
    scores = tuple(f"score_{column}" for column in problem.class_columns)
    return (
        *("model", "plane", "subject", "patient", "grade", *problem.class_columns, problem.none_column, "unanswered"),
        *(("predicted", *scores) if problem.several else ("gldr", "predicted", "score")),
        "aggregate",
    )


def problem_of(votes: pd.DataFrame) -> Problem:
    """Whose classes a table of votes is about."""
    told = votes.attrs.get(OF_PROBLEM)
    return GLIOMA if told is None else Problem(**told)


def summarise(
    scores: Iterable[SubjectScores], bootstrap: Bootstrap | None = None, problem: Problem | None = None
) -> Scores:
    """The tables over all patients; `bootstrap` gives the intervals (10,000 resamples, seed 0, where None);
    `problem`: what the study is about, where it is not the votes' own.

    The order of patients makes no difference. Patients of unknown grade are in the table of votes and are not scored. A
    patient with several scans counts once, with the mean over them, under the patient's name; the table of votes has
    the scans.
    """
    bootstrap = bootstrap or Bootstrap()
    ordered = list(scores)
    rows = [row for one in ordered for row in one.rows]
    votes = sorted((vote for one in ordered for vote in one.votes), key=lambda vote: vote.subject)
    graded = [row for vote in votes for row in _grade_rows(vote)]
    problem = problem or next((vote.problem for vote in votes), GLIOMA)
    several = several_scans({row.subject: row.patient for row in (*rows, *graded)})
    rows, graded = (sorted(_per_patient(part, several), key=lambda row: row.subject) for part in (rows, graded))
    return tables_of([*rows, *graded], votes, bootstrap, problem)


def tables_of(rows: Sequence[SubjectRow], votes: Sequence[VoteRow], bootstrap: Bootstrap, problem: Problem) -> Scores:
    """The tables of rows that are one per patient and metric, those of classes among them, and of the votes about each
    scan."""
    groups = _grouped(rows)
    figures = {**_means(groups, bootstrap, problem), **_grades(votes, bootstrap)}
    return Scores(
        per_subject=_table(map(asdict, rows), PER_SUBJECT),
        summary=_table(_summary(groups, figures), SUMMARY),
        votes=_votes(votes, problem),
    )


def _per_patient(rows: Sequence[SubjectRow], several: Collection[str]) -> list[SubjectRow]:
    """The rows of patients with one scan unchanged; for those with `several` one row per metric, under the patient's
    name, even where only one of the scans has it: so that all models use one name."""
    groups: dict[tuple[str, ...], list[SubjectRow]] = {}
    for row in rows:
        if row.patient in several:
            groups.setdefault((row.model, row.task, row.source, row.plane, row.metric, row.patient), []).append(row)
    return [row for row in rows if row.patient not in several] + list(map(_merged, groups.values()))


def _merged(rows: Sequence[SubjectRow]) -> SubjectRow:
    """A metric over a patient's scans: their mean, the highest grade, and all questions."""
    defined = [] if any(map(_without_value, rows)) else _defined(sorted(rows, key=lambda row: row.subject))
    return replace(
        rows[0],
        subject=rows[0].patient,
        grade=max((row.grade for row in rows if row.grade is not None), default=None),
        value=float(np.mean(defined or [math.nan])),
        n_asked=sum(row.n_asked for row in rows),
        n_answered=sum(row.n_answered for row in rows),
        n_scans=len(rows),
    )


def _defined(rows: Sequence[SubjectRow]) -> list[float]:
    """The values of the patients that have one."""
    return [row.value for row in rows if not math.isnan(row.value)]


def _without_value(row: SubjectRow) -> bool:
    """Whether a patient was asked, and the metric has no value for an answer that is lacking."""
    return row.n_asked > 0 and math.isnan(row.value)


def _patient(vote: VoteRow) -> GradedPatient | None:
    return None if vote.grade is None else GradedPatient(vote.grade, vote.predicted, vote.votes, vote.origin)


def _grade_rows(vote: VoteRow) -> list[SubjectRow]:
    patient = _patient(vote)
    if patient is None:
        return []
    values = {
        metric.id: metric.of_patient(patient)
        for metric in grade_metrics(vote.problem)
        if metric.of_patient is not None and (vote.plane != VOLUME or not metric.of_slices)
    }
    answered = vote.votes.asked - vote.votes.unanswered
    return [
        SubjectRow(
            *(vote.model, GRADE.name, GRADE.name, vote.plane, vote.subject, vote.patient, vote.grade, name, value),
            n_asked=vote.votes.asked,
            n_answered=answered,
        )
        for name, value in values.items()
    ]


def _grouped(rows: Sequence[SubjectRow]) -> dict[Group, list[SubjectRow]]:
    groups: dict[Group, list[SubjectRow]] = {}
    for row in rows:
        groups.setdefault((row.model, row.task, row.source, row.plane, row.metric), []).append(row)
    return groups


def _means(groups: Mapping[Group, Sequence[SubjectRow]], bootstrap: Bootstrap, problem: Problem) -> dict[Group, Figure]:
    """The mean of every group; groups with equally many patients are computed together."""
    by_size: dict[int, list[Group]] = {}
    figures: dict[Group, Figure] = {}
    for key, group in groups.items():
        values = _defined(group)
        if not values:
            figures[key] = undefined(_lacking(key, group, problem))
        elif unanswered := sum(map(_without_value, group)):
            figures[key] = undefined(f"{unanswered} of {len(values) + unanswered} patients have no answer to count")
        elif _is_proportion(key, group):
            figures[key] = agresti_coull(int(sum(values)), len(values), len(values), "")
        else:
            by_size.setdefault(len(values), []).append(key)
    for keys in by_size.values():
        columns = np.array([_defined(groups[key]) for key in keys]).T
        scales = [named(key[-1]).mean_scale for key in keys]
        figures.update(zip(keys, bootstrap.means(columns, scales), strict=True))
    return figures


def _lacking(key: Group, group: Sequence[SubjectRow], problem: Problem) -> str:
    """Why no patient has a value: none is of the metric's kind, or nothing was answered."""
    metric = named(key[-1])
    asked = any(row.n_asked for row in group)
    if asked or not isinstance(metric, AnswerMetric) or not metric.only:
        return "no answer"
    return metric.only.lacking.format(target=with_article(problem.finding_words))


def _is_proportion(key: Group, group: Sequence[SubjectRow]) -> bool:
    """Whether every patient is right or wrong: one answer about one scan."""
    metric = named(key[-1])
    return (
        isinstance(metric, AnswerMetric)
        and metric.right_or_wrong
        and key[3] == VOLUME
        and all(row.n_scans == 1 for row in group)
    )


def _grades(votes: Sequence[VoteRow], bootstrap: Bootstrap) -> dict[Group, Figure]:
    groups: dict[tuple[str, str], list[VoteRow]] = {}
    for vote in votes:
        if vote.grade is not None:
            groups.setdefault((vote.model, vote.plane), []).append(vote)
    return {
        (model, GRADE.name, GRADE.name, plane, metric): figure
        for (model, plane), group in groups.items()
        for metric, figure in _patient_figures(group, bootstrap).items()
    }


def _patient_figures(votes: Sequence[VoteRow], bootstrap: Bootstrap) -> dict[str, Figure]:
    scans = [scan for vote in votes if (scan := _patient(vote))]
    return grade_figures(scans, bootstrap, [vote.patient for vote in votes], votes[0].problem)


def figures_of(rows: pd.DataFrame) -> dict[str, Figure]:
    """By metric, the figures of a table that has the columns of `Figure`."""
    columns = [rows[field.name] for field in fields(Figure)]
    return {str(metric): Figure(*values) for metric, *values in zip(rows["metric"], *columns, strict=True)}


def _summary(
    groups: Mapping[Group, Sequence[SubjectRow]], figures: Mapping[Group, Figure]
) -> Iterable[dict[str, object]]:
    places: dict[tuple[str, ...], int] = {}
    for key in groups:
        places.setdefault(key[:4], len(places))
    for key, figure in sorted(figures.items(), key=lambda item: places[item[0][:4]]):
        model, task, source, plane, metric = key
        # Every metric of a patient's grade is from the same questions as its accuracy.
        group = groups[key] if key in groups else groups[(*key[:4], ACCURACY.id)]
        asked, answered = sum(row.n_asked for row in group), sum(row.n_answered for row in group)
        yield {
            "model": model,
            "task": task,
            "source": source,
            "plane": plane,
            "metric": metric,
            "unit": named(metric).unit,
            **asdict(figure),
            "n_subjects": len(_defined(group)),
            "n_asked": asked,
            "n_answered": answered,
            "coverage": answered / asked if asked else math.nan,
        }


def _votes(votes: Sequence[VoteRow], problem: Problem) -> pd.DataFrame:
    table = _table(map(_vote, votes), votes_columns(problem))
    if problem != GLIOMA:
        table.attrs[OF_PROBLEM] = TypeAdapter(Problem).dump_python(problem, mode="json")
    return table


def _vote(vote: VoteRow) -> dict[str, object]:
    patient, votes, problem = _patient(vote), vote.votes, vote.problem
    scores = [float("nan")] * problem.count if patient is None else patient.scores
    positive = problem.positive_class
    return {
        "model": vote.model,
        "plane": vote.plane,
        "subject": vote.subject,
        "patient": vote.patient,
        "grade": vote.grade,
        **dict(zip(problem.class_columns, votes.counts, strict=True)),
        problem.none_column: votes.none,
        "unanswered": votes.unanswered,
        "predicted": vote.predicted,
        "aggregate": vote.aggregate,
        **(
            {f"score_{column}": score for column, score in zip(problem.class_columns, scores, strict=True)}
            if problem.several
            else {"gldr": votes.shares[positive], "score": scores[positive]}
        ),
    }


def _table(rows: Iterable[dict[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=list(columns))
    return table.astype(dict.fromkeys((name for name in CLASSES if name in columns), "Int64"))
