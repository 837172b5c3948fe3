"""A YAML file that a person wrote is read; one that would take long, or much memory, or run something, is refused."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from gliobench.yaml_file import MOST_BYTES, YamlFileError, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [x, 1.5, true, ~]\n", {"a": 1, "b": ["x", 1.5, True, None]}),
        ("a: 1e-4\nb: 1.0e-4\nc: .5\nd: -3\n", {"a": 1e-4, "b": 1e-4, "c": 0.5, "d": -3}),
        ("a: 2024-13-45\nb: 12:30\nc: 010\n", {"a": "2024-13-45", "b": "12:30", "c": "010"}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ("", None),
    ],
)
def test_what_a_person_writes(text: str, expected: Any) -> None:
    assert parse_yaml(Path("own.yaml"), text).content == expected


def test_lines_of_keys_items_and_what_a_merge_key_brings() -> None:
    lines = parse_yaml(Path("own.yaml"), "a: &x\n  p: 1\nb:\n  <<: *x\n  q:\n    - 1\n    - 2\n").lines
    assert lines[("a", "p")] == 2
    assert (lines["b",], lines["b", "p"], lines["b", "q"], lines["b", "q", 1]) == (3, 2, 5, 7)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is duplicated, first in line 1"),
        ("a: 1\nb: &x [*x]\n", 2, "*x"),
        ("a: 1\nb: " + "[" * 100_000, 2, "nested"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "the tag"),
        ("a: 1\nb: " + "9" * 5000, 2, "5000 digits"),
        ('a: 1\n\nb: "\\0"\n', 3, "'\\x00'"),
        ("a: 1\non: 2\n", 2, "key"),
        ("a: 1\n? [b]\n: 2\n", 2, "key"),
        ("a: 1\n---\nb: 1\n", 2, "expected a single document"),
        ("a: *nobody\n", 1, "undefined alias"),
    ],
)
def test_what_is_refused_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(YamlFileError) as caught:
        parse_yaml(Path("own.yaml"), text)
    assert str(caught.value).startswith(f"own.yaml:{line}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_explode_are_refused_before_they_do() -> None:
    """Nine levels of nine would be 9^9 = 387 million entries."""
    text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True):
        text += f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    start = time.perf_counter()
    with pytest.raises(YamlFileError, match=r"own\.yaml:5: .*20000"):
        parse_yaml(Path("own.yaml"), text)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: b".encode("utf-16"), ":1: .*UTF-16"),
        (b"a: b\nc: K\xf6ln\n", ":2: .*0xf6"),
        (b"a: b\nc: \0\n", r":2: .*'\\x00'"),
        (b"a" * (MOST_BYTES + 1), f": {MOST_BYTES + 1} bytes"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(YamlFileError, match=message):
        read_yaml(tmp_path / "own.yaml")


def test_a_mark_at_the_beginning_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_bytes("a: 1\n".encode("utf-8-sig"))
    assert read_yaml(tmp_path / "own.yaml").content == {"a": 1}


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, found in (
        (tmp_path / "pipe", "a pipe or a device"),
        (Path("/dev/zero"), "a pipe"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(YamlFileError, match=found):
            read_yaml(path)
