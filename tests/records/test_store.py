"""Records survive: torn lines, two writers, and every value on the way to disk and back."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from gliobench.cohort.problem import NODULES
from gliobench.grid.frame import SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Prediction, Question
from gliobench.records.errors import RecordError
from gliobench.records.record import Record, make_record, parse_record, question_key, record_answer
from gliobench.records.store import RecordStore
from gliobench.records.value import Arrays, decode_value, encode_value
from gliobench.tasks.answer import Answered, Malformed, Refused
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon, Value, VolumeMask

FRAME = SliceFrame("axial", 3, (5, 6), (1.0, 2.0))


def subject(content: str = "abc") -> PreparedSubject:
    image = np.zeros((4, 4, 5, 6), np.uint8)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    return PreparedSubject("P1", 1, image, None, affine, affine, (6, 5, 4), False, content)


def record(key: str = "k", text: str = "Choice: 1") -> Record:
    question = Question(subject(), "grade", FRAME)
    prediction = Prediction(question, Answered(Grade(1)), text=text, tokens=4, finish="stop", seconds=0.5)
    return make_record(key, "model", prediction, ("slices",), Arrays(Path("unused")))


def test_a_torn_last_line_is_dropped_and_the_next_record_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with RecordStore(path) as store:
        store.append(record("one"))
        store.append(record("two"))
    path.write_bytes(path.read_bytes()[:-7])
    assert [r.key for r in RecordStore(path).read()] == ["one"]
    with RecordStore(path) as store:
        store.append(record("three"))
    assert [r.key for r in RecordStore(path).read()] == ["one", "three"]


def test_probabilities_of_three_classes_come_back_and_others_leave_no_trace() -> None:
    question = Question(replace(subject(), problem=NODULES), "grade", None)

    def kept(*given: float) -> Record:
        prediction = Prediction(question, Answered(Grade(1)), probabilities=given)
        return make_record("k", "model", prediction, (), Arrays(Path("unused")))

    assert parse_record(kept(0.2, 0.5, 0.3).to_json()).probabilities == (0.2, 0.5, 0.3)
    assert "probabilities" not in record().to_json()
    assert parse_record(record().to_json()) == record()
    for wrong in ((0.2, 0.8), (0.2, 0.5, 0.4), (0.2, 0.8, float("nan")), (-0.1, 0.6, 0.5)):
        with pytest.raises(RecordError, match="expected 3 that sum to 1"):
            kept(*wrong)


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(record("one").to_json() + "\n{broken\n" + record("two").to_json() + "\n")
    with pytest.raises(RecordError, match=r"answers\.jsonl, line 2: "):
        list(RecordStore(path).read())


FULL = """
import resource, sys
from pathlib import Path
from tests.records.test_store import record, RecordStore
path = Path(sys.argv[1])
with RecordStore(path) as store:
    store.append(record("one"))
    full = path.stat().st_size + 40  # as on a disk with room for a part of a line
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, full))
    store.append(record("two"))
"""


def test_on_a_full_disk_what_was_written_is_kept_and_the_next_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, cwd=root)
    message = (
        r"RecordError: .*answers\.jsonl: the answer about P1 cannot be written \(File too large\); all before it are"
    )
    assert re.search(message, ended.stderr), ended.stderr
    assert path.read_bytes() == (record("one").to_json() + "\n").encode()
    with RecordStore(path) as store:
        store.append(record("two"))
    assert [r.key for r in RecordStore(path).read()] == ["one", "two"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with RecordStore(path), pytest.raises(RuntimeError, match=re.escape(str(path))):
        RecordStore(path).__enter__()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_survives_on_one_line(text: str) -> None:
    line = record(text=text).to_json()
    assert "\n" not in line
    assert parse_record(line.encode().decode()).text == text


@given(arrays_of.arrays(bool, (5, 6)))
def test_a_mask_of_a_slice_survives(pixels: np.ndarray) -> None:
    arrays = Arrays(Path("unused"))
    back = decode_value(encode_value(Mask(FRAME, pixels), "k", arrays), FRAME, arrays)
    assert isinstance(back, Mask)
    assert np.array_equal(back.pixels, pixels)


@pytest.mark.parametrize(
    "value",
    [Grade(0), Point(FRAME, 1.5, 2.0), Box(FRAME, 0, 1, 2, 3), Polygon(FRAME, ((0, 1), (2, 2.5), (4, 0))), None],
)
def test_an_answer_about_a_slice_survives(value: Value | None) -> None:
    prediction, arrays = Prediction(Question(subject(), "box", FRAME), Answered(value)), Arrays(Path("unused"))
    stored = parse_record(make_record("k", "model", prediction, (), arrays).to_json())
    back = record_answer(stored, subject(), arrays)
    assert back == Answered(value)


def test_a_volume_is_stored_beside_the_line(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).random((4, 5, 6)) > 0.5
    prediction = Prediction(Question(subject(), "mask", None), Answered(VolumeMask(voxels)))
    arrays = Arrays(tmp_path)
    stored = parse_record(make_record("key", "net", prediction, (), arrays).to_json())
    answer = record_answer(stored, subject(), arrays)
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, VolumeMask)
    assert np.array_equal(answer.value.voxels, voxels)
    assert [file.name for file in tmp_path.iterdir()] == ["key.npy"]


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_probability_that_is_none_is_not_kept(score: float) -> None:
    prediction = Prediction(Question(subject(), "grade", None), Answered(Grade(0)), score=score)
    with pytest.raises(RecordError, match=rf"net, P1: .*{score}"):
        make_record("k", "net", prediction, (), Arrays(Path("unused")))


@pytest.mark.parametrize("answer", [Malformed("no numbers"), Refused("I cannot")])
def test_a_failure_keeps_its_kind_and_reason(answer: Malformed | Refused) -> None:
    prediction = Prediction(Question(subject(), "box", FRAME), answer, text="…")
    stored = make_record("k", "model", prediction, (), Arrays(Path("unused")))
    assert record_answer(parse_record(stored.to_json()), subject(), Arrays(Path("unused"))) == answer


def test_the_key_depends_on_everything_that_could_change_the_answer() -> None:
    asked = Question(subject(), "box", FRAME)
    keys = {
        question_key("model", {"temperature": 0.0}, asked),
        question_key("other", {"temperature": 0.0}, asked),
        question_key("model", {"temperature": 1.0}, asked),
        question_key("model", {"temperature": 0.0}, replace(asked, task="centre")),
        question_key("model", {"temperature": 0.0}, replace(asked, repeat=1)),
        question_key("model", {"temperature": 0.0}, replace(asked, frame=replace(FRAME, index=2))),
        question_key("model", {"temperature": 0.0}, replace(asked, subject=subject("other image"))),
    }
    assert len(keys) == 7
    assert question_key("model", {"temperature": 0.0}, asked) in keys


def test_a_file_is_parsed_once_and_again_when_another_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.jsonl"
    parsed: list[int] = []
    lines = RecordStore.lines
    monkeypatch.setattr(RecordStore, "lines", lambda store: parsed.append(1) or lines(store))
    store, other = RecordStore(path), RecordStore(path)
    assert store.records() == {}
    with store:
        assert store.records() == {}
        store.append(record("one"))
        assert store.records() == {"one": record("one")}
    assert (list(store.records()), len(parsed)) == (["one"], 2), "opening made the file, and nothing since"
    with other:
        other.append(record("two"))
    assert list(store.records()) == ["one", "two"]
    with store:
        store.append(record("three"))
    assert (list(store.records()), len(parsed)) == (["one", "two", "three"], 3)
    path.write_text(path.read_text().replace("one", "eleven"))
    with pytest.raises(RecordError, match="line 1"):
        store.records()
    path.unlink()
    assert store.records() == {}
