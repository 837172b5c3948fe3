"""Crossings and laws in words, and the drawing of a curve."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gliobench.report.contents import ReportContents
from gliobench.report.learning import crossing_words, law_words, learning_sections
from gliobench.report.markdown import write_markdown
from gliobench.scoring.learning_curve import AHEAD, CROSSINGS, FIGURES, LAWS, NEVER, CurveTables

ENDS = {"share": 0.25, "smallest": 5.0, "largest": 40.0}
NAMES = {"model": "network", "plane": "volume", "other": "llama", "other_plane": "axial"}


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (9.2, 5.1, 17.4, "network passes llama (axial) at 9 patients (95 % interval 5 to 17)."),
        (9.2, AHEAD, NEVER, "network passes llama (axial) at 9 patients (95 % interval below 5 to not within 40)."),
        (
            AHEAD,
            AHEAD,
            AHEAD,
            "network is ahead of llama (axial) at every size (5 to 40 patients; 95 % interval of the crossing: below "
            "5).",
        ),
        (
            NEVER,
            12.0,
            NEVER,
            "network does not pass llama (axial): not seen within these sizes (5 to 40 patients); in 25 % of the "
            "resamples it does.",
        ),
    ],
)
def test_a_crossing_in_words(value: float, low: float, high: float, words: str) -> None:
    assert crossing_words(pd.Series(NAMES | ENDS | {"value": value, "low": low, "high": high})) == words


LAW = {
    **{
        "task": "grade",
        "metric": "auc",
        "model": "network",
        "plane": "volume",
        "fault": "",
        "failed": 0.1,
        "twice": 80,
    },
    **{"limit_value": 0.9, "limit_low": 0.8, "limit_high": 0.95},
    **{"exponent_value": 0.5, "exponent_low": 0.2, "exponent_high": 1.5},
    **{"doubled_value": 0.81, "doubled_low": 0.75, "doubled_high": 0.87},
}


def test_a_law_in_words() -> None:
    words = law_words(pd.Series(LAW), "")
    for part in ("0.50 (0.20 to 1.50)", "0.90 (0.80 to 0.95)", "80 patients", "0.81 (0.75 to 0.87)", "10 %"):
        assert part in words
    assert "0.90" not in law_words(pd.Series(LAW | {"fault": "fewer than 4 sizes"}), "")


def test_the_section_has_a_column_for_each_size_and_a_row_for_each_model(contents: ReportContents) -> None:
    figures = [
        ("grade", "auc", "network", "volume", True, 5.0, 3, 0.6, 0.5, 0.7, 0.6),
        ("grade", "auc", "network", "volume", True, 40.0, 1, 0.8, 0.7, 0.9, 0.8),
        ("grade", "auc", "llama", "axial", False, np.nan, 1, 0.7, 0.6, 0.8, np.nan),
    ]
    crossings = [("grade", "auc", *NAMES.values(), 14.0, 9.0, 22.0, *ENDS.values())]
    tables = CurveTables(
        pd.DataFrame(figures, columns=list(FIGURES)),
        pd.DataFrame([LAW], columns=list(LAWS)),
        pd.DataFrame(crossings, columns=list(CROSSINGS)),
    )
    (found,) = learning_sections(replace(contents, learning=tables))
    assert found.sizes == ("5", "40")
    assert [(row.model, row.cells) for row in found.rows] == [
        ("network", ("0.60 (0.50 to 0.70)", "0.80 (0.70 to 0.90)")),
        ("llama (axial)", ("", "0.70 (0.60 to 0.80)")),
    ]
    assert "aria-label" in found.drawing
    assert "network passes llama (axial) at 14 patients" in write_markdown(replace(contents, learning=tables))
    assert not learning_sections(contents)
