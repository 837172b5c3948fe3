"""The paired comparison decides what the report claims."""

from dataclasses import replace

import pandas as pd

from gliobench.report.contents import ReportContents
from gliobench.report.page import render_page
from gliobench.report.pairs import pair_rows
from gliobench.report.words import findings
from gliobench.scoring.compare import COMPARED


def compared(words: str, difference: float, shown: bool = False) -> pd.DataFrame:
    row = {"model_a": "cnn", "model_b": "flair-blob", "task": "mask", "source_a": "mask", "source_b": "mask"}
    row |= {"plane": "volume", "metric": "dice", "n_subjects": 11, "value_a": 0.7, "value_b": 0.6}
    row |= {
        "difference": difference,
        "low": -0.05,
        "high": 0.25,
        "interval": "t",
        "p": 0.2,
        "p_holm": 0.4,
        "test": "permutation",
    }
    return pd.DataFrame([row | {"smallest_detectable": 0.2, "shown": shown, "words": words, "left_out": ""}])[
        list(COMPARED)
    ]


def test_a_row_says_which_way_and_how_sure(contents: ReportContents) -> None:
    table = compared("no difference shown: 0.10 (-0.05 to 0.25), n=11", 0.1)
    (row,) = pair_rows(replace(contents, comparisons=table))
    assert (row.difference, row.interval, row.p, row.n, row.shown) == ("+0.10", "−0.05 to +0.25", "0.4", 11, False)


def test_nothing_compared_gives_no_section(contents: ReportContents) -> None:
    assert pair_rows(replace(contents, comparisons=None)) == []
    assert "Is the difference real?" not in render_page(replace(contents, comparisons=None))


def test_the_page_counts_the_tests_that_p_is_corrected_for(contents: ReportContents) -> None:
    untested = compared("not comparable", float("nan")).assign(p=float("nan"), p_holm=float("nan"))
    table = pd.concat([compared("no difference shown", 0.1), untested, compared("no difference shown", 0.1)])
    assert "the 2 tests among them (Holm)" in render_page(replace(contents, comparisons=table))


def test_the_pairs_decide_the_verdict(contents: ReportContents) -> None:
    summary = contents.summary[(contents.summary["task"] == "mask") & (contents.summary["metric"] == "dice")]
    trivial = summary["model"].isin(contents.baselines)
    names = [part.sort_values("value").iloc[-1]["model"] for part in (summary[~trivial], summary[trivial])]
    for words, difference, shown, verdict in (
        ("as sure as one can be", 0.1, True, "better"),
        ("as sure as one can be", -0.1, True, "worse"),
        ("difference shown to be nothing", 0.1, False, "open"),
    ):
        table = compared(words, difference, shown).assign(model_a=names[0], model_b=names[1])
        found = findings(replace(contents, comparisons=table))
        decided = next(finding for finding in found if finding.task == "mask")
        assert decided.verdict == verdict
        assert words in decided.text
