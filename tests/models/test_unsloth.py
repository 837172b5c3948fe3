"""Whether Unsloth can be used is said without importing it, from what it asks for and what is there."""

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.unsloth import start_unsloth, unsloth_fault


def installed(folder: Path, *wants: str) -> str:
    """A folder to import from in which Unsloth is installed as far as packages can tell."""
    info = folder / "unsloth-2026.10.9.dist-info"
    info.mkdir(parents=True)
    lines = [
        "Metadata-Version: 2.1",
        "Name: unsloth",
        "Version: 2026.10.9",
        *(f"Requires-Dist: {one}" for one in wants),
    ]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    return str(folder)


@pytest.mark.skipif(find_spec("unsloth") is not None, reason="Unsloth is installed here")
def test_it_is_not_installed() -> None:
    with pytest.raises(ModelError, match=r"unsloth .*gliobench\[unsloth\]"):
        start_unsloth()


def test_another_version_than_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wants = ("torch>=2", "transformers!=5.0.0,<=5.0.1", 'trl<1; extra == "huggingface"')
    monkeypatch.syspath_prepend(installed(tmp_path, *wants))
    found = version("transformers")
    assert unsloth_fault() == f"unsloth 2026.10.9 needs transformers !=5.0.0,<=5.0.1, found {found}"


def test_what_it_asks_for_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "numpy>=99", "torchvision>=99"))
    fault = unsloth_fault()
    assert fault is not None
    assert fault.startswith("unsloth 2026.10.9 needs torchvision >=99, found ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "torch>=2"))
    assert unsloth_fault() == "it loads vision models onto a CUDA device only, and torch finds none"
    assert "unsloth" not in sys.modules
