"""What a seed changes, in words: figures over several seeds, and planned comparisons seed by seed."""

from dataclasses import dataclass

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.report.learning import named
from gliobench.tasks.registry import task_words

WORDS = (
    "Models that draw anything (initial weights, order and augmentation of training patients, sampled answers) were "
    "trained and asked again with further seeds; patients and split stayed. Each figure is the mean over seeds. The "
    "first interval is over test patients and seeds, the second over test patients alone: where the first is much "
    "wider, one training says little. All other tables are of the first seed."
)
HEADS = ("model", "task", "metric", "seeds", "mean", "patients and seeds", "patients alone", "SD of seeds", "range")
MOST_NAMED = 3  # comparisons in a report's first paragraph
DIFFERENCE_HEADS = ("comparison", "task", "metric", "difference", "95 % interval", "in pairs of seeds")


@dataclass(frozen=True)
class SeedSection:
    """Two tables of text: figures (`HEADS`) and differences (`DIFFERENCE_HEADS`)."""

    figures: tuple[tuple[str, ...], ...]
    differences: tuple[tuple[str, ...], ...]


def seed_section(contents: ReportContents) -> SeedSection | None:
    """The section; None where no further seeds were asked for."""
    if contents.seeds is None:
        return None
    figures = tuple(_figure(contents, row) for _, row in contents.seeds.figures.iterrows())
    return SeedSection(figures, tuple(_difference(contents, row) for _, row in contents.seeds.differences.iterrows()))


def seeds_disagree(contents: ReportContents) -> str:
    """A sentence on the planned comparisons whose conclusion by the interval over patients hangs on the seed; empty
    where it does in none."""
    if contents.seeds is None:
        return ""
    rows = [row for _, row in contents.seeds.differences.iterrows()]
    found = [row for row in rows if 0 < max(row["above"], row["below"]) < row["seeds"]]
    parts = [
        f"{task_words(row['task'], contents.problem)}, {row['model_a']} minus {named(row['model_b'], row['plane'])} "
        f"({_agreement(row['seeds'], row['above'], row['below'])} pairs of seeds)"
        for row in found[:MOST_NAMED]
    ]
    if more := len(found) - len(parts):
        parts.append(f"{more} more")
    return f"It hangs on the seed: {'; '.join(parts)}." if parts else ""


def _figure(contents: ReportContents, row: pd.Series) -> tuple[str, ...]:
    unit = metrics.unit(row["metric"])
    return (
        named(row["model"], row["plane"]),
        *_asked(contents, row, unit),
        str(row["seeds"]),
        numbers.number(row["value"], unit),
        numbers.interval(row["low"], row["high"], unit),
        numbers.interval(row["patients_low"], row["patients_high"], unit),
        numbers.number(row["sd"], unit),
        f"{numbers.number(row['smallest'], unit)} to {numbers.number(row['largest'], unit)}",
    )


def _difference(contents: ReportContents, row: pd.Series) -> tuple[str, ...]:
    unit = metrics.unit(row["metric"])
    return (
        f"{row['model_a']} minus {named(row['model_b'], row['plane'])}",
        *_asked(contents, row, unit),
        numbers.number(row["difference"], unit),
        numbers.interval(row["low"], row["high"], unit),
        _agreement(row["seeds"], row["above"], row["below"]),
    )


def _agreement(pairs: int, above: int, below: int) -> str:
    """In how many pairs of seeds the interval over patients excludes no difference."""
    if not (above or below):
        return f"no difference in any of {pairs}"
    found = [f"{words} in {count} of {pairs}" for words, count in (("higher", above), ("lower", below)) if count]
    return ", ".join(found)


def _asked(contents: ReportContents, row: pd.Series, unit: str) -> tuple[str, str]:
    title = metrics.title(row["metric"])
    return task_words(row["task"], contents.problem), f"{title}, {unit}" if unit else title
