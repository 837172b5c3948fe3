"""The report in words, made from its figures; it claims no more than the intervals support."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.report import metrics, numbers
from gliobench.report.contents import Part, ReportContents
from gliobench.scoring.coverage import NOT_RELIABLE
from gliobench.scoring.intervals import share_ends
from gliobench.scoring.score import VOLUME
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import task_words

CAVEAT = "Research use only. This is not a medical device, and nothing here may guide the care of a patient."
SEEN = "As the study file declares it (`seen:`). Unknown: nobody has said which patients were in the training."
PUBLIC = ("brats", "tcga-")  # how the ids of data sets begin that everybody can have


@dataclass(frozen=True)
class Finding:
    """What the figures of one task support. `verdict`: "better", "worse" or "open" against the best trivial
    baseline, or "alone" if there is nothing to compare."""

    task: str
    verdict: str
    text: str


def caveats(contents: ReportContents) -> list[str]:
    """What a reader of any report has to know, of the study's problem, and of these patients."""
    return [CAVEAT, *contents.problem.cautions, *contents.cautions, *_public(contents)]


def _public(contents: ReportContents) -> list[str]:
    """That any pretrained model may have been trained on these patients, where their ids say so."""
    ids = [str(id).lower() for id in dict.fromkeys(contents.per_subject["subject"])]
    count = sum(id.startswith(PUBLIC) for id in ids)
    if not count:
        return []
    who = "These patients are" if count == len(ids) else f"{count} of these {len(ids)} patients are"
    return [f"{who} of BraTS or TCGA, which are public: a model that was pretrained elsewhere may have seen them."]


def question(contents: ReportContents) -> str:
    """What the study asks, with its models, tasks and patients."""
    models = contents.models
    trivial = len(set(contents.summary["model"]) & contents.baselines)
    tasks = numbers.listed([task_words(task, contents.problem) for task in metrics.tasks_of(contents.summary)])
    plural = "s" if len(models) != 1 else ""
    who = f"{len(models)} set{plural} of answers" if contents.sides else f"{len(models)} model{plural}"
    against = f" and {trivial} trivial baseline{'s' if trivial != 1 else ''}" if trivial else ""
    test = [part for part in contents.parts if part.name == "test"]
    where = f" on {_part(contents, test[0])} of {contents.cohort}" if test else ""
    return f"How well do {who}{against} answer {tasks}{where}?"


def _part(contents: ReportContents, part: Part) -> str:
    counts = by_class(contents.problem, part)
    return f"{part.n} test patient{'s' if part.n != 1 else ''}" + (f" ({counts})" if counts else "")


def by_class(problem: Problem, part: Part) -> str:
    """`44 HGG, 11 LGG`: how many patients have each class, the last one first; empty where there are no classes."""
    return ", ".join(f"{count} {name}" for name, count in reversed([*zip(problem.classes, part.classes, strict=True)]))


@lru_cache(maxsize=1)
def findings(contents: ReportContents) -> list[Finding]:
    """One finding per task, in the order of the tables."""
    return [_finding(contents, task) for task in metrics.tasks_of(contents.summary)]


def verdict(contents: ReportContents) -> str:
    """All findings in a sentence or two."""
    found = findings(contents)
    tasks = {kind: [item.task for item in found if item.verdict == kind] for kind in ("better", "open", "worse")}
    sentences = []
    if tasks["better"]:
        sentences.append(f"The best model beats the best trivial baseline on {numbers.listed(tasks['better'])}.")
    if tasks["open"]:
        sentences.append(
            f"On {numbers.listed(tasks['open'])} no difference between the best model and the best trivial baseline "
            "is shown."
        )
    if tasks["worse"]:
        sentences.append(f"On {numbers.listed(tasks['worse'])} the best trivial baseline beats the best model.")
    if not sentences:
        return "Nothing here can be compared with a trivial baseline."
    if len(contents.models) > 1:
        sentences.append(
            "The best model of each task is selected on these same test patients, so its figure is likely optimistic."
        )
    return " ".join(sentences)


def coverage_sentences(contents: ReportContents) -> list[str]:
    """Which models left questions without a usable answer, one sentence per model."""
    direct = contents.summary[contents.summary["source"] == contents.summary["task"]]
    direct = direct[direct["coverage"] < 1]
    sentences = []
    for model, rows in direct.groupby("model", sort=False):
        first = rows.groupby(["task", "plane"], sort=False, as_index=False).first()
        stacked = (first["plane"] == VOLUME) & first["task"].isin(first.loc[first["plane"] != VOLUME, "task"])
        first = first[~stacked]  # the same questions once more, their answers as a volume
        several = first["plane"].nunique() > 1
        parts = [
            f"{int(row['n_answered'])} of {int(row['n_asked'])} for {task_words(row['task'], contents.problem)}"
            f"{', ' + row['plane'] if several else ''} ({numbers.percent(row['coverage'])})"
            for _, row in first.iterrows()
        ]
        sentences.append(
            f"{model} gave a usable answer to {numbers.listed(parts)}; the other questions count against it."
        )
    return sentences


def _finding(contents: ReportContents, task: str) -> Finding:
    called, metric = task_words(task, contents.problem), metrics.metrics_of(contents.summary, task)[0]
    rows = metrics.nearest(contents.summary, task, metric).dropna(subset=["value"])
    rows = rows[~rows["model"].isin(sorted(contents.references))]
    trivial = rows["model"].isin(sorted(contents.baselines))
    best = _best(rows[~trivial], metric)
    if set(contents.summary.loc[contents.summary["task"] == task, "model"]) <= contents.baselines | contents.references:
        return Finding(called, "alone", "no model was queried.")
    if best is None:
        return Finding(called, "alone", "no model has a defined figure.")
    beside = trivial & (rows["plane"] == best["plane"])  # slices are compared within one plane
    baseline = _best(rows[beside if beside.any() else trivial], metric)
    compared, kind = _compare(best, baseline, metric, _paired(contents, task, metric, best, baseline))
    aim = "shortest" if metrics.lower_is_better(metric) else "highest"
    text = f"{aim} {metrics.title(metric)}: {_described(contents, best)}; {compared}."
    if task == GRADE.name:
        text += _minority_sentence(contents, best)
    return Finding(called, kind, text)


def _best(rows: pd.DataFrame, metric: str) -> Any | None:
    if rows.empty:
        return None
    ordered = rows.sort_values(["value", "model"], ascending=[metrics.lower_is_better(metric), True], kind="stable")
    return ordered.iloc[0]


def _described(contents: ReportContents, entry: Any) -> str:
    """`cnn 0.74 (95 % interval 0.52 to 0.91; 11 patients)`, with plane, source and mark where they matter."""
    unit = str(entry["unit"])
    mark = contents.marks.get(entry["model"], "")
    words = [str(entry["model"])] + ([f"({mark})"] if mark else [])
    if entry["source"] != entry["task"]:
        words.append(f"(from its {entry['source']})")
    if len(set(contents.summary["plane"]) - {"volume"}) > 1 and entry["plane"] != "volume":
        words.append(f"on {entry['plane']} slices")
    ends = numbers.interval(entry["low"], entry["high"], unit)
    inside = f"95 % interval {ends}" if ends else "interval not defined"
    words.append(f"{numbers.with_unit(entry['value'], unit)} ({inside}; {numbers.patients(int(entry['n_subjects']))})")
    return " ".join(words)


def _paired(contents: ReportContents, task: str, metric: str, best: Any, baseline: Any | None) -> Any | None:
    """The row that compares two models on the same patients, where they were compared."""
    if contents.comparisons is None or baseline is None:
        return None
    rows, planes = contents.comparisons, dict.fromkeys([best["plane"], baseline["plane"]])
    for column, value in (
        ("task", task),
        ("metric", metric),
        ("plane", " / ".join(planes)),
        ("model_a", best["model"]),
        ("model_b", baseline["model"]),
    ):
        rows = rows[rows[column] == value]
    return rows.iloc[0] if len(rows) == 1 else None


def _compare(best: Any, baseline: Any | None, metric: str, paired: Any | None) -> tuple[str, str]:
    """The comparison in words, and its verdict. `paired`: the comparison of the two on the same patients; it decides.

    Without it, two intervals that do not overlap are a difference, and all else is left open; so is an interval of
    width 0, which says nothing about other patients.
    """
    if baseline is None:
        return "there is no trivial baseline", "alone"
    unit = str(baseline["unit"])
    ends = numbers.interval(baseline["low"], baseline["high"], unit)
    name = f"the best trivial baseline, {baseline['model']} at {numbers.with_unit(baseline['value'], unit)}"
    if any(math.isnan(float(entry[end])) for entry in (best, baseline) for end in ("low", "high")):
        return f"not compared with {name}: both intervals are needed", "open"
    name += f" ({ends})"
    if paired is not None:
        verdict = "open"
        if paired["shown"]:
            verdict = "better" if (paired["difference"] < 0) == metrics.lower_is_better(metric) else "worse"
        return f"against {name}, paired by patient: {paired['words']}", verdict
    if any(entry["low"] == entry["high"] for entry in (best, baseline)):
        return f"not distinguishable from {name}: an interval of width 0 says nothing about other patients", "open"
    above, below = best["low"] > baseline["high"], best["high"] < baseline["low"]
    if above or below:
        better = below if metrics.lower_is_better(metric) else above
        return f"better than {name}: the intervals do not overlap" if better else f"worse than {name}", (
            "better" if better else "worse"
        )
    return f"not distinguishable from {name}: the intervals overlap", "open"


def _minority_sentence(contents: ReportContents, best: Any) -> str:
    """How well the model finds the rarest class, against always answering another one."""
    votes, problem = contents.votes, contents.problem
    votes = votes[(votes["model"] == best["model"]) & (votes["plane"] == best["plane"]) & votes["grade"].notna()]
    counts = votes["grade"].astype(int).value_counts().sort_index()
    if len(counts) < 2:
        return ""
    rare = int(counts.idxmin())
    if "patient" in votes and votes["patient"].duplicated().any():
        return "" if problem.several else _minority_of_scans(contents, best, rare)
    total = int(counts[rare])
    hits = int((votes.loc[votes["grade"] == rare, "predicted"] == rare).sum())
    low, high = share_ends(hits, total)
    reach = share_ends(0, total)[1]
    rate = _rate(problem, rare)
    if votes["predicted"].nunique(dropna=False) == 1 and votes["predicted"].notna().all():
        constant = problem.class_name(int(votes["predicted"].iloc[0]))
        return (
            f" It calls every patient {constant}, as a constant answer would ({rate} {hits} of {total}, "
            f"{numbers.percent(low)} to {numbers.percent(high)})."
        )
    distinguishable = "not distinguishable from" if low <= reach else "distinguishable from"
    other = f"another {problem.asked}" if problem.several else problem.classes[1 - rare]
    return (
        f" Its {rate} is {hits} of {total} ({numbers.percent(low)} to {numbers.percent(high)}): "
        f"{distinguishable} always answering {other}."
    )


def _rate(problem: Problem, number: int) -> str:
    """What the proportion of a class that is called it is named."""
    if problem.several:
        return f"recall of {problem.classes[number]}"
    return "recall" if number == problem.positive_class else "specificity"


def _minority_of_scans(contents: ReportContents, best: Any, rare: int) -> str:
    """The same if patients have several scans: counts of scans would mislead, so the figure of the table."""
    rate, table = _rate(contents.problem, rare), contents.summary
    rows = table[(table["model"] == best["model"]) & (table["plane"] == best["plane"]) & (table["metric"] == rate)]
    figure = rows.iloc[0]
    ends = f"{numbers.percent(figure['low'])} to {numbers.percent(figure['high'])}"
    return f" Its {rate} is {numbers.percent(figure['value'])} ({ends}), by patient; a constant answer has 0."


def unreliable_intervals(table: pd.DataFrame, problem: Problem = GLIOMA) -> str:
    """Which intervals of a table are not to be relied on, by simulation (docs/scoring.md); empty where all are."""
    rows = table[table["interval"].str.contains(NOT_RELIABLE)]
    if rows.empty:
        return ""
    names = ", ".join(dict.fromkeys(metrics.title(str(metric)) for metric in rows["metric"]))
    return (
        f"Do not rely on the intervals of {names}: no method here is sound with so few patients. In simulations they "
        "hold the true value in fewer than 90 % of cohorts of this size, for those marked “with failures” where one "
        f"{problem.finding_words} in ten is missed entirely."
    )
