"""A small form of `benchmarks/reliability/servers.py`: whatever a server does, nothing of it is taken for an answer."""

import importlib.util
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parents[2] / "benchmarks" / "reliability" / "servers.py"


def test_servers_that_misbehave(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("reliability_servers", CAMPAIGN)
    assert spec is not None
    assert spec.loader is not None
    servers = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, servers)  # its dataclasses look for their module
    spec.loader.exec_module(servers)
    assert len(list(servers.cases(0))) >= 64
    results = servers.campaign(seed=1, every=4)
    assert {case.expected for case, _ in results} > {"stops"}
    assert not [(case.name, wrong, found) for case, found in results if (wrong := servers.faults(case, found))]
