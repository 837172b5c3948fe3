"""A small form of `benchmarks/reliability/answers.py`: changed texts are read as what they say, or not at all."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parents[2] / "benchmarks" / "reliability" / "answers.py"


def test_changed_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("reliability_answers", CAMPAIGN)
    assert spec is not None
    assert spec.loader is not None
    answers = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, answers)  # its dataclasses look for their module
    spec.loader.exec_module(answers)
    results = [(case, answers.tried(case)) for case in answers.cases(3, 4000)]
    assert min(Counter(case.change for case, _ in results).values()) >= 480
    wrong = {"wrong", "lost", "traceback"}
    assert not [(case.change, case.text, one.found) for case, one in results if one.outcome in wrong]
    same = [one.outcome for case, one in results if case.change == "same"]
    assert same == ["right"] * 800
