"""A model that has learnt is asked as before, but never about a patient it has learnt from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.asked import subject

from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.baselines import BASELINES
from gliobench.models.language.finetuned import FinetunedModel, trained_on


def test_it_answers_as_the_model_itself_and_refuses_whom_it_was_trained_on() -> None:
    itself = BASELINES["image-centre"]([], "axial")
    tuned = FinetunedModel(itself, frozenset({"subject-2", "subject-3"}))
    known = Question(subject(), "centre", subject().frame("axial", 3))
    learnt = replace(known, subject=replace(subject(), id="subject-2", patient="subject-2"))
    assert [one.answer for one in tuned.predict([known])] == [one.answer for one in itself.predict([known])]
    assert (tuned.name, tuned.settings, tuned.per_slice) == (itself.name, itself.settings, True)
    with pytest.raises(ModelError, match=r" 1 .*subject-2; leakage"):
        tuned.predict([known, learnt])


def test_whom_a_folder_was_trained_on(tmp_path: Path) -> None:
    assert trained_on(None) == trained_on("meta-llama/Llama-3.2-11B-Vision-Instruct") == trained_on(tmp_path) == set()
    (tmp_path / "finetune.json").write_text(json.dumps({"trained_on": ["A", "B"]}))
    assert trained_on(str(tmp_path)) == {"A", "B"}
