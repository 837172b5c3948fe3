"""The doctor tells the versions that are really there."""

from importlib.metadata import version

import torch

from gliobench.doctor import examine


def test_the_doctor_names_versions_and_what_is_absent() -> None:
    lines = list(examine())
    assert f"torch        {version('torch')}" in lines
    assert any(line.startswith("machine") and "processors" in line for line in lines)
    for package in ("bitsandbytes", "SimpleITK", "highdicom"):
        assert any(line.startswith(package) and "pip install 'gliobench[" in line for line in lines)
    quantised = next(line for line in lines if line.startswith("4 or 8 bits"))
    if not torch.cuda.is_available():
        assert "not available: " in quantised
        assert "not installed" in quantised or "CUDA" in quantised
        (unsloth,) = [line for line in lines if line.startswith("Unsloth")]
        assert "not available: " in unsloth
        assert "docs/finetuning.md" in unsloth
