"""The camps against one another, in the words and the first screen of a report."""

from dataclasses import replace

import pandas as pd
import pytest

from gliobench.report import camps
from gliobench.report.contents import Cost, Money, ReportContents
from gliobench.report.markdown import write_markdown
from gliobench.report.page import render_page
from gliobench.scoring.planned import PLANNED
from gliobench.scoring.seeds import DIFFERENCES, FIGURES, SeedTables

SHOWN = dict(
    zip(
        PLANNED,
        (
            *("fine-tuned", "general", "tuned", "asked", "box", "box", "box", "axial", "dice", 20, 0.5, 0.3),
            *(0.2, 0.1, 0.3, "t over patients", 0.001, 0.002, "test", 0.12, True, "words", "", 0.085),
        ),
        strict=True,
    )
)
OPEN = SHOWN | {
    "camp_a": "specialised", "model_a": "net", "low": -0.1, "p": 0.4, "p_holm": 0.4, "difference": 0.05, "shown": False,
}  # fmt: skip


def planned(contents: ReportContents, *rows: dict[str, object]) -> ReportContents:
    choices = pd.DataFrame(
        [("box", "trivial", 0, "blob", "box dice", 0.7, True), ("box", "trivial", 0, "mean", "box dice", 0.2, False)],
        columns=["task", "camp", "round", "model", "metric", "validation", "chosen"],
    )
    costs = {"tuned": Cost(7200.0, 90.0, "CPU"), "asked": Cost(0, 30.0, "CPU")}
    return replace(contents, planned=pd.DataFrame(list(rows), columns=list(PLANNED)), choices=choices, costs=costs)


def test_the_first_paragraph_says_who_is_better_by_how_much_and_what_it_took(contents: ReportContents) -> None:
    said = camps.answer(planned(contents, SHOWN, OPEN))
    assert said == (
        "Box: the fine-tuned model (tuned) is better than the general model (asked) by 0.20 of Dice (0.10 to 0.30, "
        "p=0.002, 20 patients); no other planned difference is shown (20 patients could show 0.12, 20 more about "
        "0.09). They took: tuned 2.0 h to train and 2 min to answer (CPU); asked 30.0 s to answer (CPU)."
    )


def test_money_stands_beside_the_hours_where_prices_are_given(contents: ReportContents) -> None:
    whole = planned(contents, SHOWN)
    costs = {
        "tuned": Cost(7200.0, 90.0, "CPU", Money("EUR", 0.8, 0.01, 0.00005)),
        "asked": Cost(0, 30.0, "a server", Money("EUR", 0, 1.5, None)),
    }
    whole = replace(whole, costs=costs, prices="EUR 0.4 per hour without GPU")
    assert camps.answer(whole).endswith(
        "They took: tuned 2.0 h to train and 2 min to answer (CPU; 0.8 EUR to train, 0.01 EUR to answer, under 0.0001 "
        "EUR per patient); asked 30.0 s to answer (a server; 1.50 EUR to answer)."
    )
    assert [row.money for row in camps.cost_rows(whole)] == [
        ("0.8 EUR", "0.01 EUR", "under 0.0001 EUR"),
        ("–", "1.50 EUR", "not known"),
    ]
    for text in (render_page(whole), write_markdown(whole)):
        assert "cost of training" in text
        assert "Prices: EUR 0.4 per hour without GPU." in text
    silent = render_page(planned(contents, SHOWN))
    assert "cost of training" not in silent
    assert "Money:" not in silent


def test_what_is_not_shown_is_never_called_better(contents: ReportContents) -> None:
    said = camps.answer(planned(contents, OPEN))
    assert "better" not in said
    assert "no difference is shown between net (specialised) and asked (general)" in said


@pytest.mark.parametrize("difference", [-3.0, 3.0])
def test_the_shorter_distance_is_better(contents: ReportContents, difference: float) -> None:
    row = SHOWN | {"task": "centre", "metric": "distance_to_centre_mm", "difference": difference}
    (found,) = camps.planned_rows(planned(contents, row))
    assert found.verdict == f"{'tuned' if difference < 0 else 'asked'} is better"


def test_page_and_markdown_open_with_the_comparisons(contents: ReportContents) -> None:
    whole = planned(contents, SHOWN, OPEN)
    page, plain = render_page(whole), write_markdown(whole)
    assert page.index('id="camps"') < page.index('id="comparison"')
    for text in (page, plain):
        assert "box, trivial: chosen on validation patients by box, Dice: blob (blob 0.70, mean 0.20)." in text
        assert "tuned (fine-tuned)" in text
    assert 'id="camps"' not in render_page(replace(contents, planned=None))


def test_patients_whom_only_one_side_has_are_counted(contents: ReportContents) -> None:
    part = SHOWN | {"left_out": "only in tuned: P1, P2, P3; only in asked: P4"}
    (sentence,) = camps.left_out_sentences(planned(contents, SHOWN, part))
    assert sentence == "box, axial, tuned and asked: left out are 3 patients only in tuned and 1 patient only in asked."


def test_the_first_paragraph_says_where_a_conclusion_hangs_on_the_seed(contents: ReportContents) -> None:
    def said(*found: tuple[int, int]) -> str:
        rows = [("box", "dice", "tuned", "asked", "axial", 3, 0.2, -0.1, 0.5, *pairs) for pairs in found]
        seeds = SeedTables(pd.DataFrame(columns=list(FIGURES)), pd.DataFrame(rows, columns=list(DIFFERENCES)))
        return camps.answer(replace(planned(contents, SHOWN), seeds=seeds))

    assert "It hangs on the seed: box, tuned minus asked (axial) (higher in 2 of 3 pairs of seeds). They" in said(
        (2, 0)
    )
    assert "(higher in 1 of 3, lower in 2 of 3 pairs of seeds)" in said((1, 2))
    for agreed in ((3, 0), (0, 3), (0, 0)):
        assert "hangs on the seed" not in said(agreed)
    assert said(*[(1, 0)] * 5).count("pairs of seeds") == 3
    assert "; 2 more. They took" in said(*[(1, 0)] * 5)
