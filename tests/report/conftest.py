"""A report's contents as the stages of the small study leave them."""

from dataclasses import replace
from pathlib import Path

import pytest

from gliobench.report.contents import ReportContents
from gliobench.study.config.study import read_study
from gliobench.study.showing.report import report_contents
from gliobench.study.state.context import make_context

DRAWN = ("dice", "accuracy", "distance_to_centre_mm")  # of the figures patient by patient: drawing all takes seconds


@pytest.fixture(scope="session")
def contents(finished_run: Path, phantom_cohort: Path, small_study: Path) -> ReportContents:
    """Four test patients; build variants with `dataclasses.replace`."""
    found = report_contents(make_context(read_study(small_study), cohort=phantom_cohort, out=finished_run))
    return replace(found, per_subject=found.per_subject[found.per_subject["metric"].isin(DRAWN)])
