"""One model's scores, patient by patient, and which of them can be compared with another model's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliobench.cohort.patients import patient_of
from gliobench.cohort.problem import Problem
from gliobench.scoring.clustered import ScanCalls
from gliobench.scoring.errors import CompareError
from gliobench.scoring.graded import Graded
from gliobench.scoring.human import READERS
from gliobench.scoring.paired import GRADE_METRICS, Calls
from gliobench.scoring.paired_classes import ClassCalls, class_metrics
from gliobench.scoring.summary import problem_of
from gliobench.tasks.chain import steps
from gliobench.tasks.grade import GRADE

VOLUME = "volume"
SINCE_SCANS = ("patient", "n_scans")  # columns that tables of earlier versions lack


class Tables(Protocol):
    """The input of a comparison: the tables of `Scores`."""

    @property
    def per_subject(self) -> pd.DataFrame: ...

    @property
    def votes(self) -> pd.DataFrame: ...


@dataclass(frozen=True, eq=False)
class Block:
    """One task of one model in one plane: `values` (patients, metrics), the questions `asked` of each patient, and
    their scan, or number of scans (`scans`)."""

    source: str
    values: pd.DataFrame
    asked: pd.Series
    scans: pd.Series


@dataclass(frozen=True, eq=False)
class ModelScores:
    """One model: the patients' `grades`, its blocks by (task, plane), and by plane its votes on the class of each scan
    (patient: subject, truth, called, score: of two classes whether positive, and one score; of more by number, and the
    score of each). `problem`: what the classes are. `human`: the row of human readers, which is no model."""

    name: str
    grades: pd.Series
    blocks: dict[tuple[str, str], Block]
    votes: dict[str, pd.DataFrame]
    problem: Problem
    human: bool = False


@dataclass(frozen=True, eq=False)
class Matched:
    """Values of two models over the same patients, for metrics with the same patients missing.

    `means`: two (patients, metrics) arrays, or `calls`: (truth, of a, of b), or `scans` of a and of b where patients
    have several or different ones, or `classes` of a and of b where there are more than two. `left_out` names the
    patients that only one side has; `notes` are for the reader.
    """

    task: str
    sources: tuple[str, str]
    plane: str
    metrics: tuple[str, ...]
    means: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    calls: tuple[NDArray[np.bool_], Calls, Calls] | None
    scans: tuple[ScanCalls, ScanCalls] | None
    classes: tuple[ClassCalls, ClassCalls] | None
    problem: Problem
    left_out: str
    notes: tuple[str, ...]


def read_models(tables: Tables) -> dict[str, ModelScores]:
    """Every model of the tables. Raises CompareError where a patient is duplicated."""
    rows, votes = (_with_patients(table) for table in (tables.per_subject, tables.votes))
    _once(rows, ["model", "task", "source", "plane", "metric", "patient"])
    _once(votes, ["model", "plane", "subject"])
    names = list(dict.fromkeys([*rows["model"], *votes["model"]]))
    problem = problem_of(votes)
    return {name: _model(name, rows[rows["model"] == name], votes[votes["model"] == name], problem) for name in names}


def compared_metrics(problem: Problem) -> tuple[str, ...]:
    """The metrics of classes that are compared."""
    return class_metrics(problem) if problem.several else GRADE_METRICS


def match(a: ModelScores, b: ModelScores) -> list[Matched]:
    """Everything that both models were scored on. Raises CompareError where they disagree about a patient's grade."""
    _same_truth(a, b)
    matched = []
    for plane_a, plane_b in _planes(list(a.votes), list(b.votes)):
        sides = a.votes[plane_a], b.votes[plane_b]
        matched.append(_match_votes((a.name, b.name), (plane_a, plane_b), *sides, a.problem))
    for (task, plane), block in a.blocks.items():
        if (task, plane) in b.blocks:
            matched += _match_blocks((a.name, b.name), task, plane, block, b.blocks[task, plane], a.problem)
    return matched


def _with_patients(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `patient`; in tables of earlier versions it is read from the ids."""
    if "patient" in table.columns:
        return table
    return table.assign(patient=[patient_of(id) for id in table["subject"]], n_scans=1)


def _once(table: pd.DataFrame, key: list[str]) -> None:
    twice = table[table.duplicated(key)]
    if len(twice):
        where = ", ".join(f"{name} {twice.iloc[0][name]}" for name in key)
        raise CompareError(f"the scores have a duplicated patient ({where}): score the run again")


def _model(name: str, rows: pd.DataFrame, votes: pd.DataFrame, problem: Problem) -> ModelScores:
    known = pd.concat([rows[["patient", "grade"]], votes[["patient", "grade"]]]).dropna()
    grades = known.astype({"grade": int}).groupby("patient")["grade"].max()
    by_plane = {str(plane): _votes(group, problem) for plane, group in votes.dropna(subset=["grade"]).groupby("plane")}
    rows = rows[
        ~((rows["task"] == GRADE.name) & rows["metric"].isin(compared_metrics(problem)))
    ]  # these come from the votes
    blocks: dict[tuple[str, str], Block] = {}
    for (task, plane), group in rows.groupby(["task", "plane"], sort=False):
        source = _nearest([str(source) for source in dict.fromkeys(group["source"])], str(task))
        group = group[group["source"] == source]
        group = group[~group["metric"].isin(_without_value(group))]
        values = group.pivot(index="patient", columns="metric", values="value")[list(dict.fromkeys(group["metric"]))]
        first = group.groupby("patient")[["n_asked", "subject", "n_scans"]].first()
        scans = first["subject"].astype(str) + " " + first["n_scans"].astype(str)
        blocks[str(task), str(plane)] = Block(source, values, first["n_asked"], scans)
    return ModelScores(name, grades, blocks, by_plane, problem, human=name == READERS)


def _without_value(rows: pd.DataFrame) -> set[str]:
    """The metrics that lack a value where an answer is lacking: a comparison without these patients would favour
    the model that is silent about the difficult ones."""
    return set(rows.loc[(rows["n_asked"] > 0) & rows["value"].isna(), "metric"])


def _votes(votes: pd.DataFrame, problem: Problem) -> pd.DataFrame:
    truth, called = votes["grade"].astype(int), votes["predicted"].astype("Int64")
    if problem.several:
        scores = {column: votes[column].astype(float) for column in _scores(problem)}
        table = {"truth": truth, "called": called.fillna(problem.none).astype(int), **scores}
    else:
        called = called.fillna(1 - truth).astype(int)  # a patient without a class counts as wrong
        positive = problem.positive_class
        table = {"truth": truth == positive, "called": called == positive, "score": votes["score"].astype(float)}
    return pd.DataFrame({"subject": votes["subject"], **table}).set_axis(votes["patient"])


def _scores(problem: Problem) -> list[str]:
    return [f"score_{column}" for column in problem.class_columns]


def _nearest(sources: list[str], task: str) -> str:
    """The answered task nearest to the scored one; it never depends on the values."""
    return min(sources, key=lambda source: steps(source, task))


def _planes(a: list[str], b: list[str]) -> Iterator[tuple[str, str]]:
    """The planes in which grades are compared: the common ones, or without any, every pair."""
    shared = [plane for plane in a if plane in b]
    yield from ((plane, plane) for plane in shared)
    if not shared:
        yield from ((plane_a, plane_b) for plane_a in a for plane_b in b)


def _same_truth(a: ModelScores, b: ModelScores) -> None:
    if len(a.votes) and len(b.votes) and a.problem.classes != b.problem.classes:
        raise CompareError(
            f"{a.name} and {b.name} do not tell the same classes apart ({', '.join(a.problem.classes)}; "
            f"{', '.join(b.problem.classes)}): only runs about one problem can be compared"
        )
    both = a.grades.index.intersection(b.grades.index)
    wrong = [str(subject) for subject in both if a.grades[subject] != b.grades[subject]]
    if wrong:
        first = wrong[0]
        raise CompareError(
            f"{a.name} and {b.name} do not have the same truth for {_named(wrong)}: {first} is "
            f"{a.problem.class_name(a.grades[first])} in one and {b.problem.class_name(b.grades[first])} in the other; "
            "score both with one cohort"
        )


def _match_votes(
    names: tuple[str, str], planes: tuple[str, str], a: pd.DataFrame, b: pd.DataFrame, problem: Problem
) -> Matched:
    both = sorted({*a.index} & {*b.index})
    left_out, notes = _left_out(names, set(a.index), set(b.index))
    plane = planes[0] if planes[0] == planes[1] else " / ".join(planes)
    sides = [side.loc[both].sort_values(["patient", "subject"]) for side in (a, b)]
    scans = [_scans(side) for side in sides]
    notes = (*notes, *_other_scans(names, *scans))
    once = all(len(side) == len(both) for side in sides)
    if not once:
        several = [one for one in both if max(len(side[one]) for side in scans) > 1]
        notes = (*notes, f"{len(several)} patients have several scans and count once each")
    calls, of_scans, classes = None, None, None
    if problem.several:
        classes = _class_calls(sides[0], both, problem), _class_calls(sides[1], both, problem)
    elif once:
        truth = sides[0]["truth"].to_numpy(dtype=bool)
        of_a, of_b = (Calls(side["called"].to_numpy(dtype=bool), side["score"].to_numpy(dtype=float)) for side in sides)
        calls = truth, of_a, of_b
    else:
        of_scans = _scan_calls(sides[0], both), _scan_calls(sides[1], both)
    task, metrics = (GRADE.name, GRADE.name), compared_metrics(problem)
    return Matched(GRADE.name, task, plane, metrics, None, calls, of_scans, classes, problem, left_out, notes)


def _scans(side: pd.DataFrame) -> dict[str, set[str]]:
    """The scans of each patient."""
    return {str(patient): set(map(str, own)) for patient, own in side.groupby("patient")["subject"]}


def _scan_calls(side: pd.DataFrame, patients: Sequence[str]) -> ScanCalls:
    return ScanCalls(
        whose=tuple(side.index),
        patients=tuple(patients),
        truth=side["truth"].to_numpy(dtype=bool),
        called=side["called"].to_numpy(dtype=bool),
        score=side["score"].to_numpy(dtype=float),
    )


def _class_calls(side: pd.DataFrame, patients: Sequence[str], problem: Problem) -> ClassCalls:
    graded = Graded(
        problem,
        truths=side["truth"].to_numpy(dtype=np.intp),
        calls=side["called"].to_numpy(dtype=np.intp),
        scores=side[_scores(problem)].to_numpy(dtype=float),
        given=np.empty((0, problem.count)),
    )
    return ClassCalls(tuple(side.index), tuple(patients), graded)


def _other_scans(names: tuple[str, str], a: Mapping[str, set[str]], b: Mapping[str, set[str]]) -> Iterator[str]:
    """A note where the scans of common patients differ."""
    if others := [patient for patient in a if a[patient] != b[patient]]:
        yield (
            f"{len(others)} of {len(a)} patients ({_named(others)}) do not have the same scans in {names[0]} and "
            f"{names[1]}: each counts with the mean over its scans"
        )


def _match_blocks(
    names: tuple[str, str], task: str, plane: str, a: Block, b: Block, problem: Problem
) -> Iterator[Matched]:
    """The metrics that both have, grouped by the patients with a value."""
    union = sorted({*a.values.index, *b.values.index})
    metrics = [metric for metric in a.values.columns if metric in b.values.columns]
    wide_a, wide_b = (side.values.reindex(union)[metrics].to_numpy(dtype=float) for side in (a, b))
    groups: dict[bytes, list[int]] = {}
    for place in range(len(metrics)):
        present = np.concatenate([~np.isnan(wide_a[:, place]), ~np.isnan(wide_b[:, place])])
        groups.setdefault(present.tobytes(), []).append(place)
    for there, places in groups.items():
        in_a, in_b = np.frombuffer(there, dtype=bool).reshape(2, -1)
        if not (in_a | in_b).any():
            continue  # metrics that are for none of these patients
        both = [subject for subject, here in zip(union, in_a & in_b, strict=True) if here]
        left_out, notes = _left_out(
            names, {union[one] for one in np.flatnonzero(in_a)}, {union[one] for one in np.flatnonzero(in_b)}
        )
        notes = (
            *notes,
            *_other_scans(names, {one: {a.scans[one]} for one in both}, {one: {b.scans[one]} for one in both}),
        )
        if plane != VOLUME and (a.asked[both] != b.asked[both]).any():
            notes = (*notes, "the two were not asked about the same number of slices")
        means = (wide_a[in_a & in_b][:, places], wide_b[in_a & in_b][:, places])
        found = tuple(metrics[place] for place in places)
        yield Matched(task, (a.source, b.source), plane, found, means, None, None, None, problem, left_out, notes)


def _left_out(names: tuple[str, str], a: set[Any], b: set[Any]) -> tuple[str, tuple[str, ...]]:
    """The patients of one side only, by name; and the note that counts them."""
    parts = [
        (name, sorted(str(subject) for subject in mine - other))
        for name, mine, other in zip(names, (a, b), (b, a), strict=True)
    ]
    parts = [(name, only) for name, only in parts if only]
    if not parts:
        return "", ()
    names_all = "; ".join(f"only in {name}: {', '.join(only)}" for name, only in parts)
    notes = (f"left out, {', '.join(f'{len(only)} only in {name} ({_named(only)})' for name, only in parts)}",)
    return names_all, notes


def _named(subjects: list[str]) -> str:
    """The first three by name, the others counted."""
    shown = ", ".join(subjects[:3])
    return shown if len(subjects) <= 3 else f"{shown} and {len(subjects) - 3} more"
