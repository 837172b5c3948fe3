"""Several writers of one model's records: read as one, gathered into one file, never chosen among in silence."""

import re
from pathlib import Path

import pytest
from tests.records.test_store import record

from gliobench.records.errors import RecordError
from gliobench.records.store import RecordStore


def write(path: Path, writer: str | None, *keys: str, text: str = "Choice: 1") -> None:
    with RecordStore(path, writer) as store:
        for key in keys:
            store.append(record(key, text))


def test_the_records_of_all_writers_are_one(tmp_path: Path) -> None:
    path = tmp_path / "model.v2.jsonl"
    write(path, "1-of-2@node1", "one")
    assert not path.exists()
    assert list(RecordStore(path).records()) == ["one"]
    write(path, None, "own")
    write(path, "2-of-2@node2", "two", "one")  # asked twice: both gave the same answer
    store = RecordStore(path)
    assert sorted(store.records()) == ["one", "own", "two"]
    assert [one.relative_to(tmp_path).as_posix() for one in store.files] == [
        "model.v2.jsonl",
        "model.v2/1-of-2@node1.jsonl",
        "model.v2/2-of-2@node2.jsonl",
    ]


def test_two_writers_at_once_and_a_reader_that_sees_both(tmp_path: Path) -> None:
    path = tmp_path / "model.jsonl"
    reader = RecordStore(path)
    with RecordStore(path, "a") as a, RecordStore(path, "b") as b, RecordStore(path) as own:
        for number, store in enumerate((a, b, own, a)):
            store.append(record(str(number)))
            assert sorted(reader.records()) == [str(one) for one in range(number + 1)]
        with pytest.raises(RecordError, match=re.escape(str(tmp_path / "model" / "a.jsonl")) + ".*another process"):
            RecordStore(path, "a").__enter__()


def test_gathered_records_lie_in_one_file_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "model.jsonl"
    write(path, None, "own")
    write(path, "a", "one", "own")
    write(path, "b", "two")
    lines = [line for file in RecordStore(path).files for line in file.read_bytes().splitlines()]
    with (tmp_path / "model" / "b.jsonl").open("ab") as torn:
        torn.write(b'{"key":"half')  # a killed writer's
    with RecordStore(path, "b") as late, RecordStore(path) as store:
        store.gather()
        assert RecordStore(path).files == [path, tmp_path / "model" / "b.jsonl"], "b is at work"
        late.append(record("three"))
    with RecordStore(path) as store:
        store.gather()
        assert sorted(store.records()) == ["one", "own", "three", "two"]
    assert path.read_bytes().splitlines()[:3] == [lines[0], lines[1], lines[3]]
    assert RecordStore(path).files == [path]


def test_two_answers_to_one_question_name_both_lines_and_none_counts(tmp_path: Path) -> None:
    path = tmp_path / "run" / "answers" / "model.jsonl"
    write(path, "a", "zero", "one")
    write(path, "b", "one", text="Choice: 0")
    message = r"model/b\.jsonl, line 1: another answer of model about P1 \(grade\) than in .*model/a\.jsonl, line 2: "
    with pytest.raises(RecordError, match=message + ".*gliobench repair"):
        RecordStore(path).records()
    with RecordStore(path) as store, pytest.raises(RecordError, match=message):
        store.gather()
    assert RecordStore(path).contradicted() == {"one"}
    assert (path.parent / "model" / "b.jsonl").exists(), "nothing is moved before it is clear what counts"
