"""Every line of the tables in docs/scoring.md, against the code."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.metric import AnswerMetric, Compared
from gliobench.scoring.overlap import Area
from gliobench.scoring.registry import BUILT_IN, metrics_of
from gliobench.scoring.votes import GradedPatient, Votes, most_votes
from gliobench.tasks.geometry import Box, Point

DOCUMENT = Path(__file__).parents[2] / "docs" / "scoring.md"
FRAME = SliceFrame("axial", 0, (30, 40), (1.5, 2.0))
DIAGONAL = ((29 * 1.5) ** 2 + (39 * 2.0) ** 2) ** 0.5


def lines(*keys: str, column: str) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """The lines of the table that begins with `keys` and has `column`: the first cells, and the others by name."""
    names: list[str] | None = None
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if names is None and tuple(cells[: len(keys)]) == keys and column in cells:
            names = cells
        elif names is not None and not cells:
            return
        elif names is not None and not cells[0].startswith("---"):
            yield tuple(cells[: len(keys)]), dict(zip(names[len(keys) :], cells[len(keys) :], strict=True))


def matches(said: str, value: float) -> bool:
    if said == "none":
        return bool(np.isnan(value))
    if said == "defined":
        return bool(np.isfinite(value))
    return value == pytest.approx(DIAGONAL if said == "diagonal" else float(said))


def figures(of: str, compared: Compared) -> dict[str, float]:
    return {metric.id: metric.value(compared) for metric in metrics_of(of)}


AREAS = list(lines("truth", "answer", column="hd95_mm"))
REGIONS = list(lines("region", "its answer", column="hd95_mm"))
PLACES = list(lines("truth", "answer", column="in_box"))
LESIONS = list(lines("truth", "answer", column="lesion_dice"))
DETECTION = list(lines("truth", "answer", column="detection_sensitivity"))
GRADES = list(lines("patients", column="auc"))


def test_the_tables_are_found() -> None:
    assert (len(AREAS), len(REGIONS), len(PLACES), len(GRADES)) == (6, 4, 6, 4)
    assert (len(LESIONS), len(DETECTION)) == (6, 6)
    columns = {name for table in (AREAS, LESIONS, DETECTION) for _, said in table for name in said}
    assert columns == {metric.id for metric in metrics_of("area")}


def test_all_metrics_are_listed_as_they_are() -> None:
    listed = [(name.strip("`"), *cells.values()) for (name,), cells in lines("metric", column="better")]
    known = []
    for one in BUILT_IN:
        compared = one.of if isinstance(one, AnswerMetric) else "grade"
        known.append((one.id, one.title, one.unit.replace("share", ""), one.better, compared))
    assert listed == known


@pytest.mark.parametrize(
    ("case", "said"), AREAS + DETECTION, ids=lambda value: "-".join(value) if type(value) is tuple else ""
)
def test_areas(case: tuple[str, str], said: dict[str, str]) -> None:
    tumour, other = np.zeros(FRAME.shape, dtype=bool), np.zeros(FRAME.shape, dtype=bool)
    tumour[5:12, 6:20], other[7:15, 9:30] = True, True
    empty = Area(np.zeros(FRAME.shape, dtype=bool))
    answer = {"tumour": Area(other), "empty": empty, "unanswered": None}[case[1]]
    truth = {"tumour": Area(tumour), "empty": empty}[case[0]]
    compared = Compared(answer, truth, FRAME.spacing_mm, answered=answer is not None, frame=FRAME)
    found = {metric.id: metric.value(compared) for metric in metrics_of("area") if not metric.of_volumes}
    assert [name for name in said if not matches(said[name], found[name])] == []


@pytest.mark.parametrize(("case", "said"), LESIONS, ids=lambda value: "-".join(value) if type(value) is tuple else "")
def test_lesions(case: tuple[str, str], said: dict[str, str]) -> None:
    tumour, other, empty = np.zeros((3, 12, 14, 16), dtype=bool)
    tumour[1:5, 2:7, 3:8], other[2:6, 2:7, 3:8] = True, True
    answer = {"tumour": Area(other), "empty": Area(empty), "unanswered": None}[case[1]]
    truth = Area(tumour if case[0] == "tumour" else empty)
    found = figures("area", Compared(answer, truth, (1.0, 1.5, 2.0), answered=answer is not None))
    assert [name for name in said if not matches(said[name], found[name])] == []


@pytest.mark.parametrize(("case", "said"), REGIONS, ids=lambda value: "-".join(value) if type(value) is tuple else "")
def test_regions(case: tuple[str, str], said: dict[str, str]) -> None:
    truth, answer = np.zeros((2, 6, 8, 10), dtype=bool)
    truth[1:3, 2:6, 3:7], answer[2:5, 2:6, 4:9] = case[0] == "tumour", case[1] == "tumour"
    found = figures("area", Compared(Area(answer), Area(truth), (1.0, 1.5, 2.0), inner=True))
    assert [name for name in said if not matches(said[name], found[name])] == []


@pytest.mark.parametrize(("case", "said"), PLACES, ids=lambda value: "-".join(value) if type(value) is tuple else "")
def test_places(case: tuple[str, str], said: dict[str, str]) -> None:
    point = Point(FRAME, 3, 4) if case[1] == "point" else None
    box = Box(FRAME, 5, 6, 11, 19) if case[0] == "tumour" else None
    found = figures("place", Compared(point, box, FRAME.spacing_mm, case[1] != "unanswered", FRAME))
    assert {name for name in found if "_p95_" not in name and "detection" not in name} == said.keys()
    assert [name for name in said if not matches(said[name], found[name])] == []
    assert all(found[name.replace("_p95_", "_")] == value for name, value in found.items() if "_p95_" in name)
    shows = {"point": "tumour", "says there is none": "empty"}.get(case[1], "unanswered")
    expected = dict(DETECTION)["tumour" if box else "empty", shows]
    assert all(matches(expected[name], found[name]) for name in expected)


def made(truth: int, *, hgg: int) -> GradedPatient:
    votes = Votes((5 - hgg, hgg), 0, 0)
    return GradedPatient(truth, most_votes(votes), votes)


@pytest.mark.parametrize(("case", "said"), GRADES, ids=lambda value: value[0] if type(value) is tuple else "")
def test_grades(case: tuple[str], said: dict[str, str]) -> None:
    patients = {
        "no LGG": [made(1, hgg=1), made(1, hgg=4), made(1, hgg=3)],
        "no HGG, some called HGG": [made(0, hgg=1), made(0, hgg=4), made(0, hgg=3)],
        "no HGG, none called HGG": [made(0, hgg=1), made(0, hgg=0), made(0, hgg=2)],
        "both, none called HGG": [made(0, hgg=1), made(1, hgg=0), made(1, hgg=2)],
    }[case[0]]
    found = grade_figures(patients, Bootstrap(resamples=100))
    assert found.keys() == said.keys()
    for name, text in said.items():
        if text.startswith("undefined"):
            assert np.isnan([found[name].value, found[name].low, found[name].high]).all(), name
            assert found[name].reason == text.removeprefix("undefined: ")
        else:
            assert matches(text, found[name].value), name
