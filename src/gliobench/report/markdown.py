"""The report as Markdown: words and tables, without pictures."""

import html
import re
from collections.abc import Sequence

from gliobench.report import camps, metrics, numbers, tables, words
from gliobench.report.confusion import confusions
from gliobench.report.consistency import consistency_tables
from gliobench.report.contents import ReportContents
from gliobench.report.controls import GAP_WORDS, control_rows, control_sentences, gap_rows
from gliobench.report.controls import WORDS as CONTROLS
from gliobench.report.decision import SHOWN, decision_rows, decision_words
from gliobench.report.fitted import WORDS, fitted_rows
from gliobench.report.learning import WORDS as LEARNING
from gliobench.report.learning import learning_sections
from gliobench.report.pairs import pair_tables
from gliobench.report.seeds import DIFFERENCE_HEADS, HEADS, seed_section
from gliobench.report.seeds import WORDS as SEEDS
from gliobench.report.sensitivity import HEADS as SENSITIVITY_HEADS
from gliobench.report.sensitivity import WORDS as SENSITIVITY
from gliobench.report.sensitivity import sensitivity_rows
from gliobench.report.settings import settings_tables
from gliobench.report.strata import StratumCell, strata_sections
from gliobench.report.words import SEEN
from gliobench.tasks.registry import task_words


def write_markdown(contents: ReportContents) -> str:
    """The whole report as one text; names and answers are escaped."""
    return "\n".join(
        [
            *_opening(contents),
            *_first(contents),
            *_pairs(contents),
            *_details(contents),
            *_confusions(contents),
            *_decision(contents),
            *_strata(contents),
            *_consistency(contents),
            *_controls(contents),
            *_checkpoints(contents),
            *_learning(contents),
            *_seeds(contents),
            *_sensitivity(contents),
            *_fitted(contents),
            *_settings(contents),
            *_patients(contents),
            *_checks(contents),
            *_list("Caveats", [*words.caveats(contents), *contents.notes]),
            *_list("Provenance", [f"{name}: {value}" for name, value in contents.provenance.items()]),
        ]
    )


def _opening(contents: ReportContents) -> list[str]:
    opening = " ".join(filter(None, [words.question(contents), camps.answer(contents), words.verdict(contents)]))
    lines = [f"# {text(contents.title)}", "", text(opening), "", *_planned(contents)]
    lines += [f"- **{text(item.task)}**: {text(item.text)}" for item in words.findings(contents)]
    lines += [f"- {text(sentence)}" for sentence in words.coverage_sentences(contents)]
    return [*lines, ""]


def _planned(contents: ReportContents) -> list[str]:
    if not (rows := camps.planned_rows(contents)):
        return []
    heads = ["task", "figure", "first", "second", "difference", "95 % interval", "p", "n", "conclusion"]
    heads += ["detectable", "with twice n"]
    lines = ["## The camps against one another", "", text(camps.planned_words(contents)), "", line(heads)]
    lines.append(line(["---"] * len(heads)))
    for r in rows:
        sides = [r.one, r.other, r.difference, r.interval, r.p, str(r.n), r.verdict, r.reach, r.reach_twice]
        lines.append(line([f"{r.task}, {r.plane}", r.metric, *sides]))
    said = [*camps.choice_sentences(contents), *camps.left_out_sentences(contents)]
    lines += ["", *(f"- {text(sentence)}" for sentence in said)]
    return [*lines, "", *_costs(contents)]


def _costs(contents: ReportContents) -> list[str]:
    if not (rows := camps.cost_rows(contents)):
        return []
    heads = camps.cost_heads(contents)
    lines = [text(camps.cost_words(contents)), "", line(heads), line(["---"] * len(heads))]
    return [*lines, *(line([r.model, r.learning, r.answering, r.where, *r.money]) for r in rows), ""]


def _first(contents: ReportContents) -> list[str]:
    table = tables.first_table(contents)
    lines = ["## The comparison", "", "Value (95 % interval), n patients, coverage.", ""]
    if contents.oracles:
        lines += [f"- oracle: {text(oracle)}" for oracle in contents.oracles] + [""]
    unreliable = words.unreliable_intervals(contents.summary, contents.problem)
    return [*lines, *_grid(table, with_origin=False), "", *([text(unreliable), ""] if unreliable else [])]


def _pairs(contents: ReportContents) -> list[str]:
    tables = pair_tables(contents)
    lines = ["## Is the difference real?", ""] if tables else []
    heads = ["task", "figure", "model", "against", "difference", "95 % interval", "p", "n", "conclusion"]
    for table in tables:
        lines += [text(table.words), "", line(heads), line(["---"] * len(heads))]
        lines += [
            line([r.task, r.metric, r.model, r.baseline, r.difference, r.interval, r.p, str(r.n), r.words])
            for r in table.rows
        ]
        lines.append("")
    return lines


def _details(contents: ReportContents) -> list[str]:
    lines = []
    for task in metrics.tasks_of(contents.summary):
        lines += [
            f"## All figures: {text(task_words(task, contents.problem))}",
            "",
            *_grid(tables.task_table(contents, task), with_origin=True),
            "",
        ]
    return lines


def _confusions(contents: ReportContents) -> list[str]:
    lines: list[str] = []
    for one in confusions(contents, tables.ranked_models(contents)):
        heads = ["true", *(f"called {name}" for name in one.columns)]
        lines += [f"## Confusion matrix: {text(one.model)}, {text(one.plane)}", "", line(heads)]
        lines.append(line(["---"] * len(heads)))
        lines += [line([name, *map(str, counts)]) for name, counts in one.rows] + [""]
    return lines


def _decision(contents: ReportContents) -> list[str]:
    if not (rows := decision_rows(contents, tables.ranked_models(contents))):
        return []
    heads = ["model", "plane", "n", "above both", *(f"at {threshold}" for threshold in SHOWN)]
    lines = ["## Decision curves", "", text(decision_words(contents)), "", line(heads), line(["---"] * len(heads))]
    return [*lines, *(line([r.model, r.plane, str(r.n), r.useful, *r.cells]) for r in rows), ""]


def _strata(contents: ReportContents) -> list[str]:
    lines: list[str] = []
    for section in strata_sections(contents, tables.ranked_models(contents)):
        lines += [f"## {section.title}", "", text(section.words), ""]
        for table in section.tables:
            heads = ["model", *table.groups]
            lines += [f"### {text(table.title)}", ""] if table.title else []
            lines += [line(heads), line(["---"] * len(heads))]
            lines += [line([f"{row.model} {row.plane}", *map(_stratum, row.cells)]) for row in table.rows] + [""]
    return lines


def _stratum(cell: StratumCell | None) -> str:
    return "–" if cell is None else f"{cell.value or 'not defined'} ({cell.beside}), n {cell.n}"


def _learning(contents: ReportContents) -> list[str]:
    sections = learning_sections(contents)
    lines = ["## How many patients does it take?", "", text(LEARNING), ""] if sections else []
    for section in sections:
        heads = ["model", *(f"{size} patients" for size in section.sizes)]
        lines += [f"### {text(section.task)}: {text(section.metric)}", ""]
        lines += [f"- {text(sentence)}" for sentence in (*section.crossings, *section.laws)]
        lines += ["", line(heads), line(["---"] * len(heads))]
        lines += [line([row.model, *row.cells]) for row in section.rows] + [""]
    return lines


def _seeds(contents: ReportContents) -> list[str]:
    if (section := seed_section(contents)) is None:
        return []
    lines = ["## Does the seed matter?", "", text(SEEDS), ""]
    for heads, rows in ((HEADS, section.figures), (DIFFERENCE_HEADS, section.differences)):
        if rows:
            lines += [line(heads), line(["---"] * len(heads)), *(line(row) for row in rows), ""]
    return lines


def _sensitivity(contents: ReportContents) -> list[str]:
    if not (rows := sensitivity_rows(contents)):
        return []
    heads = [line(SENSITIVITY_HEADS), line(["---"] * len(SENSITIVITY_HEADS))]
    return ["## Does the wording matter?", "", text(SENSITIVITY), "", *heads, *(line(row) for row in rows), ""]


def _consistency(contents: ReportContents) -> list[str]:
    lines: list[str] = []
    for table in consistency_tables(contents):
        heads = ["model", "sampling", "slice", "asked", *table.titles, "answers"]
        lines += [f"## Consistency: {text(table.task)}", "", line(heads)]
        lines.append(line(["---"] * len(heads)))
        for row in table.rows:
            cells = [f"{cell.value or 'not defined'} ({cell.interval or cell.reason})" for cell in row.cells]
            lines.append(line([row.model, row.sampling, row.where, str(row.asked), *cells, row.answers]))
        lines.append("")
    return lines


def _controls(contents: ReportContents) -> list[str]:
    if not (rows := control_rows(contents)):
        return []
    lines = ["## Does it look at the image?", "", *(f"- {text(one)}" for one in control_sentences(contents)), ""]
    heads = ["model", "task", "asked about", "same", "changed", "unanswered", "undecided", "probability moved by"]
    lines += [text(CONTROLS), "", line([*heads, "answers", "n"]), line(["---"] * (len(heads) + 2))]
    for row in rows:
        cells = [row.model, row.task, row.control, *row.outcomes, str(row.undecided), row.probability]
        lines.append(line([*cells, str(row.pairs), str(row.patients)]))
    return [*lines, "", *_gaps(contents)]


def _gaps(contents: ReportContents) -> list[str]:
    if not (rows := gap_rows(contents)):
        return []
    heads = ["model", "task", "figure", "own images", "mirror images", "difference", "95 % interval", "p", "n"]
    lines = [text(GAP_WORDS), "", line(heads), line(["---"] * len(heads))]
    for row in rows:
        sides = [row.own, row.mirrored, row.difference, row.interval, row.p, str(row.patients)]
        lines.append(line([row.model, row.task, row.metric, *sides]))
    return [*lines, ""]


def _checkpoints(contents: ReportContents) -> list[str]:
    if not contents.checkpoints:
        return []
    heads = ["model", "checkpoint", "has seen", "test patients among them"]
    lines = ["## What pretrained models have seen", "", text(SEEN), "", line(heads), line(["---"] * len(heads))]
    for one in contents.checkpoints:
        lines.append(line([one.model, one.checkpoint, one.seen, ", ".join(one.tested) or "none named"]))
    return [*lines, ""]


def _fitted(contents: ReportContents) -> list[str]:
    rows = fitted_rows(contents)
    if not rows:
        return []
    heads = ["model", "fold", "figure", "training (in-sample)", "validation", "test (95 % interval)"]
    lines = ["## Training, validation and test", "", WORDS, "", line(heads), line(["---"] * len(heads))]
    lines += [line([r.model, r.fold, r.metric, r.training, r.validation, r.test]) for r in rows]
    return [*lines, ""]


def _settings(contents: ReportContents) -> list[str]:
    lines: list[str] = []
    for table in settings_tables(contents):
        heads = ["setting", *table.keys, *(f"{title}, {part}" for title, parts in table.groups for part in parts)]
        lines += [f"## {text(table.title)}", "", text(table.words), "", line(heads), line(["---"] * len(heads))]
        for row in table.rows:
            name = ", ".join(filter(None, [row.name, "chosen" if row.chosen else "", row.note]))
            lines.append(line([name, *row.values, *(cell.line for cell in row.cells)]))
        lines.append("")
    return lines


def _grid(table: tables.Table, *, with_origin: bool) -> list[str]:
    heads = ["model", *(["plane", "answered"] if with_origin else [])]
    for column in table.columns:
        unit = f" ({column.unit})" if column.unit else ""
        task = "" if with_origin else f"{column.task}: "
        heads.append(f"{task}{column.title}{unit}")
    lines = [line(heads), line(["---"] * len(heads))]
    for row in table.rows:
        kind = {"trivial baselines": "trivial baseline", "human readers": "human readers"}.get(row.group, "")
        tags = ", ".join(tag for tag in (kind, row.mark) if tag)
        first = [f"{row.model} ({tags})" if tags else row.model]
        if with_origin:
            first += [row.plane, f"from {row.source}" if row.source else "directly"]
        lines.append(line([*first, *("; ".join(map(_cell, cells)) or "–" for cells in row.cells)]))
    return [*lines, "", f"95 % intervals: {text(table.intervals)}." if table.intervals else ""]


def _cell(cell: tables.Cell) -> str:
    inside = cell.interval or f"interval not defined: {cell.reason}"
    value = f"{cell.value} ({inside})" if cell.value else f"not defined: {cell.reason}"
    return ", ".join(part for part in (value, cell.n, cell.coverage, cell.origin) if part)


def _patients(contents: ReportContents) -> list[str]:
    parts = []
    for part in contents.parts:
        counts = words.by_class(contents.problem, part)
        parts.append(f"{part.name}: {numbers.patients(part.n)}" + (f" ({counts})" if counts else ""))
    left_out = [f"left out: {fault.subject_id}: {fault.problem}" for fault in contents.faults]
    flow = [] if contents.flow is None else [f"flow: {contents.flow.words}"]
    return _list("Patients", [*parts, *flow, *(left_out or ["no patient was left out"])])


def _checks(contents: ReportContents) -> list[str]:
    items = contents.checks.items()
    return [line for model, verdicts in items for line in _list(f"Checks after fine-tuning: {model}", list(verdicts))]


def _list(title: str, items: list[str]) -> list[str]:
    return [f"## {title}", "", *(f"- {text(item)}" for item in items), ""] if items else []


def line(cells: Sequence[str]) -> str:
    """A line of a Markdown table; cells are escaped."""
    return f"| {' | '.join(text(cell) for cell in cells)} |"


def text(plain: str) -> str:
    """Plain text as Markdown: no tags, no table breaks, no accidental emphasis or links."""
    flat = html.escape(" ".join(plain.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", flat)
