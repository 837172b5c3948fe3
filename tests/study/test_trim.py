"""Slices left out at the ends of a tumour, when a language model learns and when models are asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from gliobench.grid.prepared import PreparedSubject
from gliobench.study.asking.questions import asked_slices, without_slices
from gliobench.study.config.study import Study
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.plan.counts import assumed_slices
from gliobench.study.stages.finetune import _decisive, finetune_settings
from gliobench.study.state.context import Context
from gliobench.study.state.folder import StudyFolder
from gliobench.training.finetune.examples import slice_examples


def entry(**finetune: Any) -> LanguageModelConfig:
    content = {"kind": "vlm", "name": "m", "checkpoint": "tiny-mllama", "finetune": {"steps": 5} | finetune}
    return TypeAdapter(LanguageModelConfig).validate_python(content)


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


def asked(trim: int, lengths: dict[str, int]) -> Context:
    """A study whose patients have a tumour from slice 5 on, of so many slices; all are tested."""
    model = {"kind": "baseline", "name": "majority-grade"}
    study = Study.model_validate({"name": "s", "slices": {"trim": trim}, "models": [model]})
    context = Context(study, Path(), StudyFolder(Path()), Path())
    image = np.ones((4, 50, 4, 4), np.uint8)
    subjects = {}
    for id, length in lengths.items():
        labels = np.zeros((50, 4, 4), np.uint8)
        labels[5 : 5 + length, 1, 1] = 1
        subjects[id] = PreparedSubject(id, 1, image, labels, np.eye(4), np.eye(4), (4, 4, 50), False, id)
    vars(context).update(subjects=subjects, tested=tuple(subjects))
    return context


def test_models_are_asked_from_begin_plus_20_to_end_minus_20() -> None:
    context = asked(20, {"a": 43, "b": 40})
    assert asked_slices(context, "axial") == {"a": [25, 26, 27], "b": []}  # 5 to 47, and 5 to 44
    (said,) = without_slices(context)
    assert said.startswith("axial: 1 of 2 test patients have no slice left after `trim: 20`")
    assert said.endswith("(b)")
    assert not list(without_slices(asked(0, {"a": 43, "b": 40})))


def test_a_trim_counts_in_the_fingerprints_only_where_it_is_set() -> None:
    assert "trim" not in asked(0, {}).study.slices.model_dump()
    assert asked(20, {}).study.slices.model_dump()["trim"] == 20


def test_a_plan_counts_what_is_left() -> None:
    study = asked(0, {}).study
    # 95 slices on the grid, of which 0.66 hold tumour on the grid `study`: 62.7, and 22.7 without 20 at either end.
    assert assumed_slices(study, "study", "axial", every=1, trim=20) == pytest.approx(22.7)
    assert assumed_slices(study, "study", "axial", every=2, trim=20) == pytest.approx(11.35)
    assert assumed_slices(study, "study", "axial", every=1, trim=40) == 0
