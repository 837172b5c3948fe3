"""Tables for a paper: of each task the first metrics of every model, as LaTeX (booktabs) or Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from gliobench.report import metrics, numbers, words
from gliobench.report.contents import ReportContents
from gliobench.report.markdown import line, text
from gliobench.report.tables import GROUPS, group_of, interval_methods, ranked_models
from gliobench.tasks.registry import task_words

LATEX = {
    **{one: f"\\{one}" for one in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "–": "--", "±": r"$\pm$"},
}


@dataclass(frozen=True)
class PaperTable:
    """A table as text. `rows`: each with its group, in the order of `GROUPS`, and a cell per heading."""

    label: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> "PaperTable":
        rows = tuple((group, tuple(cells)) for group, cells in content["rows"])
        return PaperTable(content["label"], content["caption"], tuple(content["headings"]), rows)


def paper_tables(contents: ReportContents) -> list[PaperTable]:
    """One table per task, in the report's order: models best first, then human readers and trivial baselines."""
    return [_table(contents, task) for task in metrics.tasks_of(contents.summary)]


def _table(contents: ReportContents, task: str) -> PaperTable:
    names = [metric for own, metric in metrics.columns_of(contents.summary) if own == task]
    picked = {name: metrics.nearest(contents.summary, task, name) for name in names}
    first, rows = picked[names[0]], []
    entry: Any
    for model in ranked_models(contents):
        for entry in first[first["model"] == model].itertuples():
            figures = [_figure(picked[name], entry) for name in names]
            cells = (_named(contents, entry), str(entry.n_subjects), numbers.percent(float(entry.coverage)), *figures)
            rows.append((group_of(contents, model), cells))
    units = {name: f", {unit}" if (unit := metrics.unit(name)) else "" for name in names}
    headings = ("model", "n", "coverage", *(f"{metrics.title(name)}{units[name]} (95 % interval)" for name in names))
    return PaperTable(f"tab:{task}", _caption(contents, task, picked), headings, tuple(rows))


def _named(contents: ReportContents, entry: Any) -> str:
    """A model with its mark, and where its figure comes from."""
    marks = [contents.marks.get(entry.model, ""), "" if entry.source == entry.task else f"from {entry.source}"]
    marks.append("" if entry.plane == "volume" else entry.plane)
    found = ", ".join(filter(None, marks))
    return f"{entry.model} ({found})" if found else str(entry.model)


def _figure(table: Any, entry: Any) -> str:
    """A metric of the same model, source and plane; its own n where that is another than the row's."""
    same = (table["model"] == entry.model) & (table["plane"] == entry.plane) & (table["source"] == entry.source)
    for own in table[same].itertuples():
        if own.value != own.value:
            return f"not defined: {own.reason}"
        ends = numbers.interval(own.low, own.high, own.unit) or f"interval not defined: {own.reason}"
        other = f", n {own.n_subjects}" if own.n_subjects != entry.n_subjects else ""
        return f"{numbers.number(own.value, own.unit)} ({ends}){other}"
    return "–"


def _caption(contents: ReportContents, task: str, picked: Mapping[str, Any]) -> str:
    """The conditions under which the figures hold."""
    import pandas as pd

    shown = pd.concat(list(picked.values()))
    marked = sorted({mark for name in shown["model"] if (mark := contents.marks.get(name))})
    return " ".join(
        filter(
            None,
            [
                f"{task_words(task, contents.problem)}: {_tested(contents)}{contents.cohort}.",
                "Value with 95 % interval; n: patients; coverage: questions with a usable answer, the others count "
                "against the model.",
                f"Intervals: {methods}." if (methods := interval_methods(shown)) else "",
                words.unreliable_intervals(shown, contents.problem),
                f"Marks: {', '.join(marked)}." if marked else "",
                *(f"Oracle, {one}." for one in contents.oracles),
            ],
        )
    )


def _tested(contents: ReportContents) -> str:
    found = [numbers.patients(part.n) for part in contents.parts if part.name == "test"]
    return f"{found[0]} of the test set of " if found else ""


def as_markdown(table: PaperTable) -> str:
    """The caption and the table."""
    rows = [line(cells) for _, cells in table.rows]
    return "\n".join([text(table.caption), "", line(table.headings), line(["---"] * len(table.headings)), *rows])


def as_latex(table: PaperTable) -> str:
    """A float for the package booktabs, groups of rows apart."""
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(table.caption)}}}",
            rf"\label{{{table.label}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.headings) - 1)}}}",
            r"\toprule",
            _latex_row(table.headings),
            *_latex_groups(table),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _latex_groups(table: PaperTable) -> Iterator[str]:
    for _, rows in groupby(sorted(table.rows, key=lambda row: GROUPS.index(row[0])), key=lambda row: row[0]):
        yield r"\midrule"
        yield from (_latex_row(cells) for _, cells in rows)


def _latex_row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(map(escaped, cells))} \\"


def escaped(plain: str) -> str:
    """Plain text as LaTeX prints it."""
    return "".join(LATEX.get(one, one) for one in plain)
