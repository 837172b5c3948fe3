"""Tiny checkpoints of two families, and what is learnt from made patients."""

from pathlib import Path

import pytest
from tests.training.finetune.made import TASKS, patient

from gliobench.models.tiny import write_tiny_idefics3, write_tiny_mllama
from gliobench.models.tiny.idefics3 import Size
from gliobench.training.finetune.examples import Example, slice_examples

SMALL = Size(image_px=32, patch_px=8, hidden=32, inner=64, layers=2, vision_layers=1)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {
        "idefics3": write_tiny_idefics3(folder / "idefics3", size=SMALL),
        "mllama": write_tiny_mllama(folder / "mllama"),
    }


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Of six patients, every task about four slices each."""
    return slice_examples([patient(number) for number in range(6)], TASKS, ("axial",))
