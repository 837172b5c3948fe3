"""Reporting checklists: the published items, and what a run answers of them."""

from pathlib import Path

import pytest

from gliobench.integrity import write_json
from gliobench.report.checklist import Form, Item, fill, form_names, read_form
from gliobench.report.paper import PaperError, read_facts
from gliobench.study.showing.facts import FACTS

# Tejani 2024: 44 items. Sounderajah 2025: 40 items, of which 15 has four parts, 16 three, 17, 26 and 40 two: 48 lines.
# Gallifant 2025, table 2: 19 items in 49 lines.
LINES = {"claim": (44, 44), "stard-ai": (40, 48), "tripod-llm": (19, 49)}
REFINE = (8, 6, 3, 10, 10, 7)  # Mese 2026, refinechecklist.github.io: 44 items, numbered within six sections


@pytest.mark.parametrize("name", LINES)
def test_a_form_has_the_published_items_in_their_order(name: str) -> None:
    items = [one.item for one in read_form(name).items]
    numbers = [int(item.rstrip("abcdefg")) for item in items]
    assert (max(numbers), len(set(items))) == LINES[name]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, max(numbers) + 1))


def test_refine_has_the_published_items_in_their_order() -> None:
    items = [one.item for one in read_form("refine").items]
    assert items == [f"{section}.{one + 1}" for section, count in enumerate(REFINE, 1) for one in range(count)]


def test_every_fact_of_a_form_is_known_and_every_known_fact_is_asked_for() -> None:
    asked = {fact for name in form_names() for item in read_form(name).items for fact in item.facts}
    assert set(form_names()) == {*LINES, "refine"}
    assert asked == set(FACTS)


def test_a_filled_form_says_what_the_run_knows_and_what_is_to_add() -> None:
    form = Form(
        "F",
        "A form",
        "A source",
        (
            Item("1", "Data", "who", ("flow",), "their age"),
            Item("2", "Data", "how many", ("flow",)),
            Item("3", "Other", "readers", ("readers",)),
        ),
    )
    text = fill(form, {"flow": "4 of 5 patients *used*.", "readers": ""})
    one, two, three = text.split("**1** ")[1].replace("**3** ", "**2** ").split("**2** ")
    assert "- Run: 4 of 5 patients \\*used\\*." in one
    assert "- To add: their age" in one
    assert "To add" not in two
    assert "- Run" not in three
    assert "- To add: to be written" in three
    assert "2 of 3 items" in text


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PaperError, match="gliobench report"):
        read_facts(tmp_path)
    (tmp_path / "report").mkdir()
    write_json(tmp_path / "report" / "paper.json", {"facts": {}})
    with pytest.raises(PaperError, match="replay"):
        read_facts(tmp_path)
