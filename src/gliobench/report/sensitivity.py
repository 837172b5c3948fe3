"""What the wording of a prompt, or the view of a slice, changes, in words."""

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.report.learning import named
from gliobench.tasks.registry import task_words

WORDS = (
    "Language models were asked the same questions in other words, or shown the slices in other views; all else "
    "stayed. The mean and the median are over the study's own prompts (or view) and the others. The first interval is "
    "over test patients and wordings (or views), the second over test patients alone. Rank: among the models with the "
    "same prompts or view. All other tables are of the study's own, which no result has chosen."
)
HEADS = (
    *("model", "task", "metric", "varied", "mean", "patients and wording", "patients alone", "median"),
    *("range", "rank"),
)


def sensitivity_rows(contents: ReportContents) -> list[tuple[str, ...]]:
    """A row of text per model, metric and what is varied; none where nothing is."""
    if contents.sensitivity is None:
        return []
    return [_row(contents, row) for _, row in contents.sensitivity.figures.iterrows()]


def _row(contents: ReportContents, row: pd.Series) -> tuple[str, ...]:
    assert contents.sensitivity is not None
    unit, title = metrics.unit(row["metric"]), metrics.title(row["metric"])
    values = contents.sensitivity.values
    for column in ("task", "metric", "model", "plane", "varied"):
        values = values[values[column] == row[column]]
    return (
        named(row["model"], row["plane"]),
        task_words(row["task"], contents.problem),
        f"{title}, {unit}" if unit else title,
        f"{row['varied']}: {', '.join(values['variant'])}",
        numbers.number(row["value"], unit),
        numbers.interval(row["low"], row["high"], unit),
        numbers.interval(row["patients_low"], row["patients_high"], unit),
        numbers.number(row["median"], unit),
        f"{numbers.number(row['smallest'], unit)} to {numbers.number(row['largest'], unit)}",
        _ranks(values),
    )


def _ranks(values: pd.DataFrame) -> str:
    if values["models"].max() < 2 or values["rank"].isna().any():
        return ""
    best, worst = int(values["rank"].min()), int(values["rank"].max())
    return f"{best if best == worst else f'{best} to {worst}'} of {int(values['models'].max())}"
