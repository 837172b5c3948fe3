"""Facts on how answers are scored, on the figures, and on what can be checked."""

from collections.abc import Callable, Sequence
from typing import Any

from gliobench.study.showing.environment import commit
from gliobench.study.showing.facts.run import Run, sentences
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import task_words

Wanted = Callable[[str], bool]  # whether a row of this model is


def question(run: Run) -> str:
    """What the study asks."""
    from gliobench.report.words import question as asked

    return asked(run.contents)


def metrics(run: Run) -> str:
    """The metrics of each task, the first ones first."""
    from gliobench.report.metrics import metrics_of, tasks_of, title

    table = run.contents.summary
    return sentences(
        f"{task_words(task, run.contents.problem)}: {', '.join(map(title, metrics_of(table, task)))}"
        for task in tasks_of(table)
    )


def intervals(run: Run) -> str:
    """How 95 % intervals are made."""
    from gliobench.report.tables import interval_methods

    return sentences([f"95 % intervals: {interval_methods(run.contents.summary)}"])


def comparisons(run: Run) -> str:
    """How models are compared."""
    from gliobench.report.pairs import pair_tables

    return sentences(table.words for table in pair_tables(run.contents))


def repeats(run: Run) -> str:
    """How often questions were asked again."""
    asked = run.context.study.consistency
    if asked is None:
        return ""
    return (
        f"One slice of each of {asked.subjects} test patients was put {asked.repeats} times to every language model "
        "that samples; agreement, entropy and flip rate are in the report."
    )


def seeds(run: Run) -> str:
    """With how many seeds models were trained and asked."""
    tables, number = run.contents.seeds, run.context.study.seeds
    if tables is None:
        return ""
    names = ", ".join(dict.fromkeys(tables.figures["model"]))
    return f"{names}: {number} seeds each; spread, and intervals over patients and seeds, are in the report."


def wording(run: Run) -> str:
    """In which other words and views language models were asked."""
    tables = run.contents.sensitivity
    if tables is None:
        return ""
    varied = [
        f"{key} {', '.join(dict.fromkeys(own['variant']))}" for key, own in tables.values.groupby("varied", sort=False)
    ]
    names = ", ".join(dict.fromkeys(tables.values["model"]))
    return f"{names}: asked with {'; '.join(varied)}; ranges, ranks and intervals are in the report."


def subgroups(run: Run) -> str:
    """By which variables figures are shown."""
    names = run.context.study.subgroups
    return f"Figures by {', '.join(names)}, with intervals and n, are in the report." if names else ""


def readers(run: Run) -> str:
    """How human readers agree."""
    return _performance(run, lambda model: model in run.contents.references)


def performance(run: Run) -> str:
    """The first figure of each task for every model."""
    return _performance(run, lambda model: model not in run.contents.references)


def accuracy(run: Run) -> str:
    """Sensitivity and the like of every model that calls classes."""
    from gliobench.report.metrics import columns_of, metrics_of

    table = run.contents.summary
    table = table[table["task"] == GRADE.name]
    of_patients = {"auc", "balanced_accuracy", "recall", "specificity", "accuracy"}
    names = [name for name in metrics_of(table, GRADE.name) if name in of_patients] if columns_of(table) else []
    return sentences(_figures(run, GRADE.name, name, lambda model: True) for name in names)


def fitted(run: Run) -> str:
    """Where figures on training and validation patients are."""
    names = list(dict.fromkeys(one.model for one in run.contents.fitted))
    return (
        f"Training, validation and test figures of {', '.join(names)} are side by side in the report." if names else ""
    )


def coverage(run: Run) -> str:
    """How many questions had no usable answer."""
    from gliobench.report.words import coverage_sentences

    return sentences(coverage_sentences(run.contents))


def confusion(run: Run) -> str:
    """The counts of each model's classes."""
    from gliobench.report.confusion import counted

    found = counted(run.contents, run.contents.models)
    return sentences(
        f"{one.model}, {one.plane}: "
        + "; ".join(f"true {name}: {_counts(one.columns, counts)}" for name, counts in one.rows)
        for one in found
    )


def _counts(columns: Sequence[str], counts: Sequence[int]) -> str:
    return ", ".join(f"{count} called {name}" for name, count in zip(columns, counts, strict=True))


def oracles(run: Run) -> str:
    """Where the truth was used to make an input."""
    return sentences(f"The truth was used to make an input: {one}" for one in run.contents.oracles)


def software(run: Run) -> str:
    """The packages that figures depend on; all are in environment.json."""
    return sentences([run.contents.provenance["packages"], "All others are in environment.json"])


def hardware(run: Run) -> str:
    """The machine that wrote the report."""
    return sentences([run.contents.provenance["machine"], "Memory and accelerator are in environment.json"])


def time(run: Run) -> str:
    """How long each stage took."""
    return sentences([f"Seconds per stage: {run.contents.provenance['seconds']}"])


def records(run: Run) -> str:
    """What is kept of every answer."""
    return (
        "Every answer is kept in answers/MODEL.jsonl of the run with its text, its time and a key of all that could "
        "change it; the stages' output has checksums, and `gliobench answers` prints any patient's answers."
    )


def code(run: Run) -> str:
    """The version of the code."""
    from importlib.metadata import version

    at = commit()
    return sentences([f"gliobench {version('gliobench')}" + (f", commit {at}" if at else "")])


def no_summaries(run: Run) -> str:
    """That nothing is summarised."""
    return "Not applicable: no text was summarised."


def _performance(run: Run, wanted: Wanted) -> str:
    from gliobench.report.metrics import metrics_of, tasks_of

    table = run.contents.summary
    return sentences(_figures(run, task, metrics_of(table, task)[0], wanted) for task in tasks_of(table))


def _figures(run: Run, task: str, metric: str, wanted: Wanted) -> str:
    """One metric of every model that is wanted, with its interval and n."""
    from gliobench.report import numbers
    from gliobench.report.metrics import nearest, title

    rows = nearest(run.contents.summary, task, metric).dropna(subset=["value"])
    parts = []
    row: Any
    for row in rows[rows["model"].map(wanted).astype(bool)].itertuples():
        ends = numbers.interval(row.low, row.high, row.unit)
        mark = f" ({run.contents.marks[row.model]})" if row.model in run.contents.marks else ""
        value = numbers.with_unit(row.value, row.unit) + (f" ({ends})" if ends else "")
        parts.append(f"{row.model}{mark} {value}, n {row.n_subjects}")
    return f"{task_words(task, run.contents.problem)}, {title(metric)}: {'; '.join(parts)}" if parts else ""


FACTS = (
    *(
        question,
        metrics,
        intervals,
        comparisons,
        repeats,
        seeds,
        wording,
        subgroups,
        readers,
        performance,
        accuracy,
        fitted,
    ),
    *(coverage, confusion, oracles, software, hardware, time, records, code, no_summaries),
)
