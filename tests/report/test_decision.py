"""Decision curves on the page: who has one, where it is of use, who is left out."""

from dataclasses import replace

import pandas as pd
import pytest

from gliobench.report.contents import ReportContents
from gliobench.report.decision import decision_rows, decision_words, draw_decision
from gliobench.report.markdown import write_markdown
from gliobench.report.page import render_page
from gliobench.scoring.decision_curve import THRESHOLDS


@pytest.fixture
def decided(contents: ReportContents) -> ReportContents:
    """A model that is above both from 0.20 to 0.40 and at 0.60, and a baseline that nowhere is."""
    rows = [
        {
            **{"model": model, "plane": "volume", "class": "HGG", "threshold": threshold, "interval": "", "reason": ""},
            **{"treat_all": 0.5 - threshold, "treat_none": 0.0, "n_subjects": 4},
            **{"net_benefit": value, "low": value - 0.1, "high": value + 0.2},
        }
        for model in ("classifier", "majority-grade")
        for threshold in map(float, THRESHOLDS)
        for better in [model == "classifier" and (0.195 < threshold < 0.405 or 0.595 < threshold < 0.605)]
        for value in [max(0.5 - threshold, 0) + (0.05 if better else 0)]
    ]
    return replace(contents, decision=pd.DataFrame(rows))


def test_where_a_model_is_of_use_and_what_it_is_worth_there(decided: ReportContents) -> None:
    model, baseline = decision_rows(decided, ["classifier", "majority-grade"])
    assert (model.useful, baseline.useful) == ("0.20 to 0.40, 0.60", "nowhere")
    assert model.cells[:3] == ("0.40 (0.30 to 0.60)", "0.30 (0.20 to 0.50)", "0.00 (-0.10 to 0.20)")
    assert (model.n, len(model.cells)) == (4, 5)


def test_baselines_have_no_drawing_and_models_without_probabilities_are_named(decided: ReportContents) -> None:
    models = ["classifier", "majority-grade"]
    assert [(model, plane) for model, plane, _ in draw_decision(decided, models)] == [("classifier", "volume")]
    assert "Left out, for they give no probability:" in decision_words(decided)
    assert "tiny-mllama-untrained" in decision_words(decided).split("Left out")[1]


def test_page_and_text_have_the_section_only_where_there_is_a_curve(decided: ReportContents) -> None:
    assert 'id="decision"' in render_page(decided)
    assert "## Decision curves" in write_markdown(decided)
    without = replace(decided, decision=None)
    assert 'id="decision"' not in render_page(without)
    assert "Decision curves" not in write_markdown(without)


def test_score_leaves_the_curves_of_models_with_probabilities(contents: ReportContents) -> None:
    assert contents.decision is not None
    scored = contents.summary.loc[contents.summary["metric"] == "brier", "model"]
    assert set(contents.decision["model"]) == set(scored)
    assert contents.decision.groupby("model").size().unique().tolist() == [len(THRESHOLDS)]
