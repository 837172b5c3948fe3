"""Tables for a paper: escaped, complete, and with their conditions."""

from dataclasses import replace

from gliobench.report.contents import ReportContents
from gliobench.report.paper_tables import PaperTable, as_latex, as_markdown, escaped, paper_tables

TABLE = PaperTable(
    "tab:box",
    "Box: 4 patients, 50 % of all.",
    ("model", "n", "Dice (95 % interval)"),
    (("models", ("my_net & co", "4", "0.50 (0.40 to 0.60)")), ("trivial baselines", ("mean-box", "4", "–"))),
)


def test_special_characters_are_printed_as_they_are() -> None:
    assert escaped(r"a_b & 5 % {x} #1 $ ~ ^ \ <") == (
        r"a\_b \& 5 \% \{x\} \#1 \$ \textasciitilde{} \textasciicircum{} \textbackslash{} \textless{}"
    )


def test_a_latex_table_keeps_groups_apart() -> None:
    assert as_latex(TABLE).splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{Box: 4 patients, 50 \% of all.}",
        r"\label{tab:box}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"model & n & Dice (95 \% interval) \\",
        r"\midrule",
        r"my\_net \& co & 4 & 0.50 (0.40 to 0.60) \\",
        r"\midrule",
        r"mean-box & 4 & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_a_markdown_table_has_its_caption_above() -> None:
    assert as_markdown(TABLE).splitlines()[2:] == [
        "| model | n | Dice (95 % interval) |",
        "| --- | --- | --- |",
        r"| my\_net & co | 4 | 0.50 (0.40 to 0.60) |".replace("&", "&amp;"),
        "| mean-box | 4 | – |",
    ]
    assert PaperTable.from_json(TABLE.as_json()) == TABLE


def test_a_row_has_the_figures_of_the_summary_and_an_oracle_its_mark(contents: ReportContents) -> None:
    grade = paper_tables(contents)[0]
    rows = {cells[0]: cells for _, cells in grade.rows}
    own = contents.summary[(contents.summary["model"] == "classifier") & (contents.summary["metric"] == "auc")].iloc[0]
    place = next(number for number, heading in enumerate(grade.headings) if heading.startswith("AUC"))
    assert rows["classifier"][place] == f"{own['value']:.2f} ({own['low']:.2f} to {own['high']:.2f})"
    assert rows["classifier"][1:3] == ("4", "100 %")
    assert "radiomics (oracle)" in rows
    assert "Oracle, region: radiomics" in grade.caption
    assert "4 patients of the test set" in grade.caption


def test_another_n_than_the_rows_is_said(contents: ReportContents) -> None:
    summary = contents.summary.copy()
    summary.loc[(summary["model"] == "classifier") & (summary["metric"] == "auc"), "n_subjects"] = 3
    grade = paper_tables(replace(contents, summary=summary))[0]
    (row,) = (cells for _, cells in grade.rows if cells[0] == "classifier")
    assert any(cell.endswith(", n 3") for cell in row)
