"""The doctor tells the versions that are really there."""

from importlib.metadata import version

from gliobench.doctor import examine


def test_the_doctor_names_versions_and_what_is_absent() -> None:
    lines = list(examine())
    assert f"torch        {version('torch')}" in lines
    assert any(line.startswith("machine") and "processors" in line for line in lines)
    assert any(line.startswith("bitsandbytes") for line in lines)
