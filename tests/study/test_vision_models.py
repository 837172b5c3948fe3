"""Segmenters and encoders in a whole study: who is prompted by whom, what is passed on, and what is an oracle."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gliobench.grid.frame import take_slice
from gliobench.models.base.prediction import Prediction, Question
from gliobench.records.record import make_record, question_key, record_answer
from gliobench.records.store import RecordStore
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import current_answers, write_asked
from gliobench.study.asking.oracles import marks as marks_of
from gliobench.study.asking.oracles import oracles
from gliobench.study.asking.prompting import make_prompts
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.kinds.segmenter import SegmenterConfig
from gliobench.study.showing.report import _notes
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import score
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing
from gliobench.tasks.geometry import Box, Mask, Point, Polygon

STUDY = """\
name: vision
grid: {shape: [24, 32, 32]}
split: {test_share: 0.3, folds: 4, seed: 1}
slices: {every: 3}
tasks: [grade, box, mask]
models:
  - {kind: segmenter, name: sam-untrained, checkpoint: tiny-sam, from: truth}
  - {kind: segmenter, name: blob-to-sam-untrained, checkpoint: tiny-sam, from: flair-blob, prompt: point}
  - {kind: baseline, name: flair-blob}
  - {kind: baseline, name: mean-box}
  - {kind: encoder, name: clip-untrained, checkpoint: tiny-clip, every: 4}
  - {kind: encoder, name: clip-tumour-untrained, checkpoint: tiny-clip, every: 4, pool: slices, select: oracle}
"""


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    out = tmp_path_factory.mktemp("vision")
    (out / "study.yaml").write_text(STUDY)
    context = make_context(read_study(out / "study.yaml"), cohort=phantom_cohort, out=out / "run")
    for stage in (prepare, split, predict, score):
        stage(context)
    return context


def records(context: Context, model: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in context.folder.answers(model).read_text().splitlines()]


def test_segmenters_stand_in_every_table_of_place_and_encoders_in_that_of_grades(finished: Context) -> None:
    table = pd.read_parquet(finished.folder.scores / "summary.parquet")
    for model in ("sam-untrained", "blob-to-sam-untrained"):
        rows = table[table["model"] == model]
        assert {(task, plane) for task, plane in zip(rows["task"], rows["plane"], strict=True)} == {
            *((task, "axial") for task in ("mask", "polygon", "box", "centre")),
            ("mask", "volume"),
        }
        assert set(rows["source"]) == {"mask"}
        rows = rows.dropna(subset="value")  # no slice without a tumour is asked about, so detection has none to be of
        assert (rows["n_asked"] == len(current_answers(finished, "mean-box"))).all(), "asked about the same slices"
    for model in ("clip-untrained", "clip-tumour-untrained"):
        rows = table[table["model"] == model]
        assert set(rows["task"]) == {"grade"}
        assert "auc" in set(rows["metric"])


def test_masks_of_slices_are_stacked_and_scored_as_a_volume(finished: Context) -> None:
    """Dice by hand: each answered slice stands for itself and its two neighbours, as every third was asked."""
    table = pd.read_parquet(finished.folder.scores / "per_subject.parquet")
    own = table[(table["model"] == "sam-untrained") & (table["plane"] == "volume") & (table["metric"] == "dice")]
    arrays = Arrays(finished.folder.masks)
    for id, dice in zip(own["subject"], own["value"], strict=True):
        subject = finished.subjects[id]
        stacked = np.zeros(subject.shape, bool)
        for record in current_answers(finished, "sam-untrained"):
            if record.subject == id:
                answer = record_answer(record, subject, arrays)
                assert isinstance(answer, Answered)
                assert isinstance(answer.value, Mask)
                assert record.index is not None
                stacked[record.index - 1 : record.index + 2] = answer.value.pixels
        tumour = subject.tumour
        assert dice == pytest.approx(2 * (stacked & tumour).sum() / (stacked.sum() + tumour.sum()))


def test_oracles_are_marked_in_records_and_report(finished: Context) -> None:
    marks = {
        model: {tuple(record["oracle"]) for record in records(finished, model)}  # type: ignore[arg-type]
        for model in ("sam-untrained", "blob-to-sam-untrained", "clip-untrained", "clip-tumour-untrained")
    }
    assert marks == {
        "sam-untrained": {("slices", "prompt")},
        "blob-to-sam-untrained": {("slices",)},
        "clip-untrained": {()},
        "clip-tumour-untrained": {("slices",)},
    }
    marked = [name for name, mark in marks_of(finished.study).items() if mark == "oracle"]
    assert marked == ["sam-untrained", "clip-tumour-untrained"], "named so in every table"
    said = "\n".join(oracles(finished.study))
    assert "prompt: sam-untrained is given the true tumour's box in every slice" in said
    assert "slices: clip-tumour-untrained sees only slices that hold tumour" in said
    assert "prompted with a point from the answers of flair-blob" in "\n".join(_notes(finished))


def test_prompts_are_the_true_box_and_the_middle_of_the_other_models_box(finished: Context) -> None:
    truth, blob = (finished.study.models[place] for place in (0, 1))
    assert isinstance(truth, SegmenterConfig)
    assert isinstance(blob, SegmenterConfig)
    by_truth, by_blob = make_prompts(finished, truth), make_prompts(finished, blob)
    arrays = Arrays(finished.folder.masks)
    found = {r.subject: arrays.load(r.key, (24, 32, 32)) for r in current_answers(finished, "flair-blob")}
    empty = 0
    for record in current_answers(finished, "sam-untrained"):
        subject = finished.subjects[record.subject]
        assert record.index is not None
        frame = subject.frame("axial", record.index)
        rows, columns = np.nonzero(subject.tumour[record.index])
        assert by_truth.of(Question(subject, "mask", frame)) == Answered(
            Box(frame, rows.min(), columns.min(), rows.max(), columns.max())
        )
        rows, columns = np.nonzero(take_slice(found[subject.id], "axial", record.index))
        answer = by_blob.of(Question(subject, "mask", frame))
        assert isinstance(answer, Answered)
        if len(rows):
            middle = ((rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2)
            assert answer.value == Point(frame, *middle)
        else:
            empty += 1
            assert isinstance(answer.value, Mask)
            assert not answer.value.pixels.any()
    assert empty < len(current_answers(finished, "sam-untrained"))


def test_an_answer_that_cannot_be_used_is_missing_and_no_tumour_an_empty_mask(finished: Context) -> None:
    """A language model's answers, of every kind, written as `predict` writes them."""
    subject = finished.subjects[finished.tested[0]]
    frames = [subject.frame("axial", index) for index in range(8)]
    square = Polygon(frames[1], ((3.0, 4.0), (3.0, 9.0), (8.0, 9.0), (8.0, 4.0)))
    said: list[Answer] = [
        Answered(Box(frames[0], 3, 4, 8, 9)),
        Answered(square),
        Answered(None),
        Missing("the text is empty"),
        Malformed("expected a box such as (12, 30, 58, 71), found 'hm'"),
    ]
    config = SegmenterConfig.model_validate(
        {"kind": "segmenter", "name": "sam-untrained", "checkpoint": "tiny-sam", "from": "llama"}
    )
    arrays = Arrays(finished.folder.masks)
    with RecordStore(finished.folder.answers("llama")) as store:
        keys = []
        for answer, frame in zip(said, frames, strict=False):
            task = "polygon" if answer is said[1] else "box"
            question = Question(subject, task, frame)
            keys.append(question_key("llama", {}, question))
            store.append(make_record(keys[-1], "llama", Prediction(question, answer), (), arrays))
    write_asked(finished, "llama", keys, (), ())
    prompts = make_prompts(finished, config)
    given = [prompts.of(Question(subject, "mask", frame)) for frame in frames]
    assert given[0] == said[0]
    assert given[1] == Missing("llama was not asked about this slice, so there is no place to prompt with")
    answer = given[2]
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Mask)
    assert not answer.value.pixels.any()
    assert given[3] == Missing("llama gave no place to prompt with: missing, the text is empty")
    assert given[4] == Missing(
        "llama gave no place to prompt with: malformed, expected a box such as (12, 30, 58, 71), found 'hm'"
    )
    write_asked(finished, "llama", [keys[1]], (), ())
    (frame, *_) = frames[1:]
    only_polygons = make_prompts(finished, config)
    assert only_polygons.of(Question(subject, "mask", frame)) == Answered(Box(frame, 3, 4, 8, 9)), "of its points"
    assert only_polygons.settings["answers"] != prompts.settings["answers"], "other answers, other questions"


def test_the_model_whose_answers_are_used_has_to_answer_first(finished: Context, tmp_path: Path) -> None:
    study = finished.study.model_copy(update={"models": finished.study.models[1:3]})
    context = make_context(study, cohort=finished.cohort, out=tmp_path, store=finished.store)
    for name in ("prepared", "split"):
        (tmp_path / f"{name}.json").write_bytes((finished.folder.root / f"{name}.json").read_bytes())
    with pytest.raises(StageError, match="flair-blob has not answered everything yet"):
        predict(context, ["blob-to-sam-untrained"])
    grades = context.study.models[0].model_copy(update={"source": "majority-grade"})
    write_asked(context, "majority-grade", (), (), ())
    with pytest.raises(StageError, match=r"majority-grade .*centre or box or polygon or mask"):
        make_prompts(replace(context), grades)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("from: flair-blob", "from: nobody", "no model is named 'nobody'; there are sam-untrained, .*, and truth"),
        ("from: flair-blob", "from: sam-untrained", "sam-untrained is a segmenter, whose answers are no prompts"),
        ("from: flair-blob", "from: clip-untrained", "clip-untrained is a encoder, whose answers are no prompts"),
        ("name: sam-untrained", "name: sam", "random weights must have 'untrained' in their name"),
        ("name: clip-untrained", "name: clip", "random weights must have 'untrained' in their name"),
        (", from: truth", "", "models.0.from: Field required"),
        ("prompt: point", "prompt: scribble", "models.1.prompt"),
    ],
)
def test_a_mistake_in_the_study_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace(old, new))
    with pytest.raises(StudyError, match=message):
        read_study(tmp_path / "study.yaml")


def test_a_language_model_that_is_not_asked_for_a_place_gives_no_prompts(tmp_path: Path) -> None:
    language = "  - {kind: vlm, name: untrained, checkpoint: tiny-mllama, tasks: [grade]}\n"
    (tmp_path / "study.yaml").write_text(STUDY.replace("from: flair-blob", "from: untrained") + language)
    with pytest.raises(StudyError, match=r"untrained .*centre or box or polygon or mask"):
        read_study(tmp_path / "study.yaml")
