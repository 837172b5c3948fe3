"""A small form of `benchmarks/reliability/files.py`: damaged and odd files are read, noted or refused as is right."""

import importlib.util
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parents[2] / "benchmarks" / "reliability" / "files.py"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_damaged_and_odd_files(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("reliability_files", CAMPAIGN)
    assert spec is not None
    assert spec.loader is not None
    files = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, files)  # its dataclasses look for their module
    spec.loader.exec_module(files)
    assert len(list(files.cases(0))) > 200
    results = files.campaign(seed=1, every=16)
    assert {case.base for case, _ in results} == {"folders", "table", "decathlon"}
    wrong = [(case.name, case.expected, found) for case, found in results if found.kind != case.expected]
    assert not wrong
