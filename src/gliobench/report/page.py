"""Write the report: one self-contained page, the same in Markdown, and the tables as CSV."""

from pathlib import Path
from typing import Any

from gliobench.integrity import write_json
from gliobench.report import camps, metrics, numbers, tables, words
from gliobench.report.confusion import confusions
from gliobench.report.consistency import consistency_tables
from gliobench.report.contents import ReportContents
from gliobench.report.controls import GAP_WORDS, control_rows, control_sentences, gap_rows
from gliobench.report.controls import WORDS as CONTROLS
from gliobench.report.curves import draw_curves
from gliobench.report.decision import SHOWN, decision_rows, decision_words, draw_decision
from gliobench.report.distributions import draw_distributions
from gliobench.report.fitted import WORDS, fitted_rows
from gliobench.report.flow import FLOW, draw_flow, flow_file
from gliobench.report.gallery import draw_gallery, gallery_models
from gliobench.report.learning import WORDS as LEARNING
from gliobench.report.learning import learning_sections
from gliobench.report.markdown import write_markdown
from gliobench.report.outlines import ANSWER, TRUTH, draw_outlines
from gliobench.report.pairs import pair_tables
from gliobench.report.paper import PAPER
from gliobench.report.paper_tables import paper_tables
from gliobench.report.reliability import draw_reliability, reliability_words
from gliobench.report.samples import report_lines, sample_title
from gliobench.report.seeds import DIFFERENCE_HEADS, HEADS, seed_section
from gliobench.report.seeds import WORDS as SEEDS
from gliobench.report.sensitivity import HEADS as SENSITIVITY_HEADS
from gliobench.report.sensitivity import WORDS as SENSITIVITY
from gliobench.report.sensitivity import sensitivity_rows
from gliobench.report.settings import settings_tables
from gliobench.report.strata import strata_sections
from gliobench.report.templates import style, template
from gliobench.report.votes import draw_votes, outcomes, votes_words

CURVE_FILES = ("learning_curve", "learning_curve_laws", "learning_curve_crossings")


def write_report(contents: ReportContents, out: Path) -> Path:
    """Write `report.html`, `report.md`, `summary.csv`, `per_subject.csv` and `votes.csv` into the folder `out`,
    `comparisons.csv` and `planned_comparisons.csv` where models were compared, `learning_curve.csv` with its laws and
    crossings where there are curves, `seeds.csv` and `seeds_comparisons.csv` where there are further seeds,
    `subgroups.csv` where patients were grouped, `sites.csv` where they are of several sites, `decision_curve.csv`
    where classes are asked for, `flow.svg` where the flow of patients is known, `consistency.csv` and
    `consistency_answers.csv` where questions were asked again, and `controls.csv` and `control_gaps.csv` where they
    were asked about changed images; and `paper.json`, which checklists and tables for a paper are made from.

    The page needs nothing else: no network, no script, no other file. The same contents give the same bytes. Returns
    the path of the page. Raises ValueError where the summary is empty.
    """
    if contents.summary.empty:
        raise ValueError("the summary is empty: there is nothing to report; score at least one answer first")
    out.mkdir(parents=True, exist_ok=True)
    for name in ("summary", "per_subject", "votes"):
        getattr(contents, name).to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    if contents.comparisons is not None:
        contents.comparisons.to_csv(out / "comparisons.csv", index=False, lineterminator="\n")
    if contents.planned is not None:
        contents.planned.to_csv(out / "planned_comparisons.csv", index=False, lineterminator="\n")
    if contents.subgroups is not None:
        contents.subgroups.to_csv(out / "subgroups.csv", index=False, lineterminator="\n")
    if contents.by_site is not None:
        contents.by_site.to_csv(out / "sites.csv", index=False, lineterminator="\n")
    if contents.gaps is not None:
        contents.gaps.to_csv(out / "subgroup_gaps.csv", index=False, lineterminator="\n")
    if contents.decision is not None:
        contents.decision.to_csv(out / "decision_curve.csv", index=False, lineterminator="\n")
    if contents.flow is not None:
        (out / FLOW).write_text(flow_file(contents), encoding="utf-8")
    if contents.consistency is not None:
        contents.consistency.figures.to_csv(out / "consistency.csv", index=False, lineterminator="\n")
        contents.consistency.answers.to_csv(out / "consistency_answers.csv", index=False, lineterminator="\n")
    if contents.controls is not None:
        contents.controls.figures.to_csv(out / "controls.csv", index=False, lineterminator="\n")
        contents.controls.gaps.to_csv(out / "control_gaps.csv", index=False, lineterminator="\n")
    if contents.learning is not None:
        for name, table in zip(CURVE_FILES, vars(contents.learning).values(), strict=True):
            table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    if contents.seeds is not None:
        for name, table in zip(("seeds", "seeds_comparisons"), vars(contents.seeds).values(), strict=True):
            table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    if contents.sensitivity is not None:
        for name, table in zip(("sensitivity", "sensitivity_values"), vars(contents.sensitivity).values(), strict=True):
            table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    write_json(out / PAPER, {"facts": contents.facts, "tables": [one.as_json() for one in paper_tables(contents)]})
    (out / "report.md").write_text(write_markdown(contents), encoding="utf-8")
    page = out / "report.html"
    page.write_text(render_page(contents), encoding="utf-8")
    return page


def render_page(contents: ReportContents) -> str:
    """The page as one HTML text."""
    models = tables.ranked_models(contents)
    answering = gallery_models(contents.gallery, models)
    return template("report.html.j2", **_filters()).render(
        contents=contents,
        few=words.unreliable_intervals(contents.summary, contents.problem),
        style=style(),
        question=words.question(contents),
        answer=camps.answer(contents),
        planned=camps.planned_rows(contents),
        planned_words=camps.planned_words(contents),
        choices=[*camps.choice_sentences(contents), *camps.left_out_sentences(contents)],
        costs=camps.cost_rows(contents),
        cost_heads=camps.cost_heads(contents),
        costs_words=camps.cost_words(contents),
        verdict=words.verdict(contents),
        findings=words.findings(contents),
        coverage=words.coverage_sentences(contents),
        first=tables.first_table(contents),
        groups=tables.GROUPS,
        pairs=pair_tables(contents),
        details=[tables.task_table(contents, task) for task in metrics.tasks_of(contents.summary)],
        votes=draw_votes(contents, models),
        votes_words=votes_words(contents.problem),
        outcomes=outcomes(contents.problem),
        confusions=confusions(contents, models),
        samples=[(sample_title(one), report_lines(one)) for one in contents.samples],
        consistency=consistency_tables(contents),
        controls=control_rows(contents),
        controls_words=CONTROLS,
        control_sentences=control_sentences(contents),
        gaps=gap_rows(contents),
        gap_words=GAP_WORDS,
        seen_words=words.SEEN,
        reliability=draw_reliability(contents, models),
        reliability_words=reliability_words(contents.problem),
        decision=draw_decision(contents, models),
        decision_rows=decision_rows(contents, models),
        decision_words=decision_words(contents),
        flow=draw_flow(contents),
        distributions=draw_distributions(contents, models),
        strata=strata_sections(contents, models),
        decision_shown=SHOWN,
        curves=draw_curves(contents.curves, contents.losses),
        fitted=fitted_rows(contents),
        fitted_words=WORDS,
        settings=settings_tables(contents),
        learning=learning_sections(contents),
        learning_words=LEARNING,
        seeds=seed_section(contents),
        seeds_words=SEEDS,
        seeds_heads=(HEADS, DIFFERENCE_HEADS),
        sensitivity=sensitivity_rows(contents),
        sensitivity_heads=SENSITIVITY_HEADS,
        sensitivity_words=SENSITIVITY,
        gallery=draw_gallery(contents.gallery, answering),
        answering=answering,
        outlines=draw_outlines(contents.outlines),
        outline_colours={"truth": TRUTH, "answer": ANSWER},
        caveats=words.caveats(contents),
    )


def _filters() -> dict[str, Any]:
    return {"patients": numbers.patients, "grouped": _grouped, "baseline": _is_baseline, "by_class": words.by_class}


def _grouped(columns: tuple[tables.Column, ...]) -> list[tuple[str, int]]:
    """(task, number of columns) for the upper line of a heading."""
    tasks = [column.task for column in columns]
    return [(task, tasks.count(task)) for task in dict.fromkeys(tasks)]


def _is_baseline(model: str, contents: ReportContents) -> bool:
    return model in contents.baselines
