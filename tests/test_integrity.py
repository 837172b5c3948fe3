"""A file that is not as it was written is never taken for it, and is named."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gliobench.errors import GliobenchError
from gliobench.integrity import (
    DamagedError,
    Stamp,
    check_file,
    listed,
    read_json,
    read_keys,
    read_sealed,
    read_stamp,
    source_digest,
    write_json,
    write_keys,
    write_sealed,
    write_stamp,
    write_whole,
)
from gliobench.study.state.lock import LockedError, locked

CONTENT = {"name": "é", "share": 0.1, "by_number": {10: "ten", 9: "nine"}, "place": (1, None), "nan": float("nan")}


def test_a_key_of_an_earlier_version_is_read_under_its_name_of_today(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    write_json(path, {"learnt_from": ["P1", "P2"]})
    assert read_json(path, "trained_on")["trained_on"] == ["P1", "P2"]


def test_json_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a" / "one.json"
    write_json(path, CONTENT)
    found = read_json(path, "name")
    assert (found["name"], found["share"], found["place"]) == ("é", 0.1, [1, None])
    assert found["by_number"] == {"10": "ten", "9": "nine"}
    assert [one.name for one in path.parent.iterdir()] == ["one.json"], "nothing is left beside it"


def test_every_bit_of_json_counts(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    write_json(path, {"threshold": 0.5, "trained_on": ["P1", "P2"]})
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            with suppress(DamagedError):  # else blank space, or the name of the checksum alone
                found = read_json(path)
                assert (found["threshold"], found["trained_on"]) == (0.5, ["P1", "P2"])


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b'{"checksum": 3}', b"\xff\xfe{}", b"[" * 100_000])
def test_what_is_no_object_of_json_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"one\.json"):
        read_json(path, "name")
    path.unlink()
    path.mkdir()
    with pytest.raises(DamagedError, match=r"one\.json"):
        read_json(path)


def test_an_editors_marks_do_no_harm_and_another_files_content_does(tmp_path: Path) -> None:
    path, other = tmp_path / "one.json", tmp_path / "other.json"
    write_json(path, CONTENT)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_json(path)["name"] == "é"
    write_json(other, CONTENT)
    path.write_bytes(other.read_bytes())
    with pytest.raises(DamagedError, match=r"one\.json .*checksum"):
        read_json(path)


def test_earlier_versions_files_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text('{"name": "old"}')
    assert read_json(path, "name") == {"name": "old"}
    with pytest.raises(DamagedError, match="seconds"):
        read_json(path, "name", "seconds")
    path.write_text('["a", "b"]')
    assert read_keys(path) == ["a", "b"]
    write_keys(path, ("c", "d"))
    assert read_keys(path) == ["c", "d"]
    path.write_text("[1]")
    with pytest.raises(DamagedError, match=r"one\.json"):
        read_keys(path)


def test_sealed_bytes_belong_to_their_place(tmp_path: Path) -> None:
    path, other = tmp_path / "by" / "one.npy", tmp_path / "by" / "other.npy"
    write_sealed(path, b"features")
    assert read_sealed(path) == b"features"
    other.write_bytes(path.read_bytes())
    with pytest.raises(DamagedError, match=r"other\.npy"):
        read_sealed(other)


def test_a_stamp_knows_what_its_stage_left(tmp_path: Path) -> None:
    table, stamp = tmp_path / "scores" / "summary.parquet", tmp_path / "stamps" / "score.json"
    write_whole(table, b"12345")
    write_stamp(stamp, Stamp("inputs", 1.5, listed([table], tmp_path)))
    found = read_stamp(stamp)
    assert found is not None
    assert (found.inputs, found.seconds, found.faults(tmp_path)) == ("inputs", 1.5, {})
    check_file(table, stamp, tmp_path)
    table.write_bytes(b"12346")
    assert found.faults(tmp_path).keys() == {"scores/summary.parquet"}
    with pytest.raises(DamagedError, match=r"summary\.parquet .*checksum"):
        check_file(table, stamp, tmp_path)
    table.unlink()
    with pytest.raises(DamagedError, match=r"summary\.parquet"):
        check_file(table, stamp, tmp_path)
    table.mkdir()
    write_whole(table, b"12345")
    assert found.faults(tmp_path) == {}
    assert (tmp_path / "scores" / "summary.parquet.damaged").is_dir(), "what stood there is kept"
    stamp.write_text(json.dumps({"inputs": "old", "seconds": 2}))
    old = read_stamp(stamp)
    assert old is not None
    assert old.files is None
    stamp.write_text('{"inputs": "old", "seconds": [2]}')
    with pytest.raises(DamagedError):
        read_stamp(stamp)


HOLDER = """
import sys, time
from pathlib import Path
from gliobench.study.state.lock import locked
with locked(Path(sys.argv[1]), "score"):
    Path(sys.argv[2]).touch()
    time.sleep(60)
"""


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    lock, held = tmp_path / "run" / "stamps" / "score.lock", tmp_path / "held"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock), str(held)]) as process:
        deadline = time.monotonic() + 60
        while not held.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with (
            pytest.raises(LockedError, match=rf"score .*\b{process.pid} .*{os.uname().nodename}"),
            locked(lock, "score"),
        ):
            pass
        process.kill()
    with locked(lock, "score"), locked(lock.with_name("split.lock"), "split"):
        pass
    assert issubclass(LockedError, GliobenchError)


def test_the_code_that_computes_figures_decides_whether_they_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "figures_of_ours"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "dice.py").write_text("TWICE = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = source_digest.__wrapped__("figures_of_ours")
    assert source_digest.__wrapped__("figures_of_ours") == before
    (package / "dice.py").write_text("TWICE = 3\n")
    changed = source_digest.__wrapped__("figures_of_ours")
    (package / "dice.py").write_text("TWICE = 2\n")
    (package / "hausdorff.py").write_text("")
    assert len({before, changed, source_digest.__wrapped__("figures_of_ours")}) == 3
    module = tmp_path / "one_file_of_theirs.py"
    module.write_text("TWICE = 2\n")
    one_file = source_digest.__wrapped__("one_file_of_theirs")
    module.write_text("TWICE = 3\n")
    assert source_digest.__wrapped__("one_file_of_theirs") != one_file
    with pytest.raises(ModuleNotFoundError, match="no_such_package_of_ours"):
        source_digest("no_such_package_of_ours")
