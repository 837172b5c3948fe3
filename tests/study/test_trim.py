"""Slices left out at the ends of a tumour when a language model learns."""

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from gliobench.grid.prepared import PreparedSubject
from gliobench.study.finetune import _decisive, finetune_settings
from gliobench.study.language_parts import LanguageModel
from gliobench.training.finetune.examples import slice_examples


def entry(**finetune: Any) -> LanguageModel:
    content = {"kind": "vlm", "name": "m", "checkpoint": "tiny-mllama", "finetune": {"steps": 5} | finetune}
    return TypeAdapter(LanguageModel).validate_python(content)


def test_trim_decides_what_is_learnt_and_unset_leaves_earlier_runs_valid() -> None:
    assert "trim" not in _decisive(entry())["finetune"]
    assert _decisive(entry(trim=20))["finetune"]["trim"] == 20
    assert (finetune_settings(entry()).trim, finetune_settings(entry(trim=20)).trim) == (0, 20)


@pytest.mark.parametrize(("trim", "left"), [(0, 41), (20, 1), (21, 0)])
def test_of_41_slices_the_studys_trim_leaves_the_middle_one(trim: int, left: int) -> None:
    labels = np.zeros((50, 4, 4), np.uint8)
    labels[5:46, 1, 1] = 1
    image = np.ones((4, 50, 4, 4), np.uint8)
    subject = PreparedSubject("p", 1, image, labels, np.eye(4), np.eye(4), (4, 4, 50), False, "p")
    found = slice_examples([subject], ("grade",), ("axial",), trim=trim)
    assert len(found) == left
    assert {example.question.frame.index for example in found if example.question.frame} <= set(
        range(5 + trim, 46 - trim)
    )
