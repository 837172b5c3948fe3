"""Files that are complete or reported as damaged: written atomically, with a checksum that is checked on reading.

A JSON object contains its checksum (`write_json`, `read_json`). All other output of a stage (tables, weights, pages) is
listed with size and SHA-256 in the stage's stamp (`Stamp`). Imports nothing of the other rooms, so that every room may
use it.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gliobench.errors import GliobenchError

LARGE_BYTES = 2**26  # from this size on, reading a file repeatedly takes noticeable time
SEAL_BYTES = hashlib.sha256().digest_size
CHECKSUM, KEYS, ASIDE = "checksum", "keys", ".damaged"
RENAMED = {"learnt_from": "trained_on"}  # keys of earlier versions, and as they are called now


class DamagedError(GliobenchError):
    """A file that differs from what was written; the message names it and says what was found."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically; a folder in its place is set aside.

    Raises OSError where it cannot be written, such as on a full disk; then no part of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.partial")  # machines may share a folder
    try:
        partial.write_bytes(data)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if path.is_dir():
        set_aside(path)
    partial.replace(path)


def remove(path: Path) -> None:
    """Remove a file where there is one; a folder in its place is set aside."""
    if path.is_dir():
        set_aside(path)
    else:
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder within its folder; returns the new path."""
    return path.rename(name_aside(path))


def name_aside(path: Path) -> Path:
    """The path under which a damaged file is kept: the first that is free."""
    number = 1
    while (aside := path.with_name(f"{path.name}{ASIDE}{'' if number == 1 else f'-{number}'}")).exists():
        number += 1
    return aside


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object of plain JSON values with a checksum over them and the file's name."""
    write_whole(path, sealed_json(path.name, content))


def sealed_json(name: str, content: Mapping[str, Any]) -> bytes:
    """The bytes of the file `name` that `write_json` writes."""
    plain = json.loads(json.dumps(content, default=str))
    return (json.dumps({**plain, CHECKSUM: _digest(name, plain)}, indent=1) + "\n").encode()


def read_json(path: Path, *needed: str) -> dict[str, Any]:
    """What `write_json` wrote. Raises DamagedError where the file is something else, or lacks a key of `needed`;
    FileNotFoundError where there is none. A file without a checksum, from an earlier version, is accepted.
    """
    content = _parsed(path)
    if not isinstance(content, dict):
        raise DamagedError(f"{path} is damaged: expected an object of JSON, found {str(content)[:40]}")
    found = content.pop(CHECKSUM, None)
    if found is not None and found != _digest(path.name, content):
        raise DamagedError(f"{path} is damaged: its checksum does not match")
    content |= {now: content.pop(key) for key, now in RENAMED.items() if key in content}
    if absent := [key for key in needed if key not in content]:
        raise DamagedError(f"{path} is damaged: it lacks {', '.join(absent)}")
    return content


def write_sealed(path: Path, data: bytes) -> None:
    """Write bytes with a checksum over them and the file's path after them."""
    write_whole(path, data + _seal(path, data))


def read_sealed(path: Path) -> bytes:
    """What `write_sealed` wrote. Raises DamagedError, and FileNotFoundError where there is none."""
    try:
        found = path.read_bytes()
    except IsADirectoryError as error:
        raise DamagedError(f"{path} is a folder, expected a file") from error
    data, seal = found[:-SEAL_BYTES], found[-SEAL_BYTES:]
    if seal != _seal(path, data):
        raise DamagedError(f"{path} is damaged, or of an earlier version: its checksum does not match")
    return data


def _seal(path: Path, data: bytes) -> bytes:
    return hashlib.sha256(f"{path.parent.name}/{path.name}\n".encode() + data).digest()


def write_keys(path: Path, keys: Iterable[str]) -> None:
    """Write a list of keys, or of ids, with its checksum."""
    write_json(path, {KEYS: list(keys)})


def read_keys(path: Path) -> list[str]:
    """What `write_keys` wrote, or a plain list from an earlier version. Raises as `read_json` does."""
    content = _parsed(path)
    keys = content if isinstance(content, list) else read_json(path, KEYS)[KEYS]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise DamagedError(f"{path} is damaged: expected a list of keys")
    return keys


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except IsADirectoryError as error:
        raise DamagedError(f"{path} is a folder, expected a file of JSON") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: not JSON ({error})") from error


def _digest(name: str, content: Mapping[str, Any]) -> str:
    """The name is part of it: the intact content of another file is damage too."""
    return hashlib.sha256(json.dumps([name, content], sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def source_digest(*packages: str) -> str:
    """SHA-256 of the names and contents of the files of some packages, tables and templates among them, or of modules
    that are one file: what they compute depends on them alone."""
    total = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        if spec is None or not (spec.submodule_search_locations or spec.has_location):
            raise ModuleNotFoundError(f"{package} is not a package of Python files")
        if not spec.submodule_search_locations:
            total.update(f"{package} {file_digest(Path(str(spec.origin)))}\n".encode())
        for folder in map(Path, spec.submodule_search_locations or ()):
            for path in sorted(one for one in folder.rglob("*") if one.is_file() and "__pycache__" not in one.parts):
                total.update(f"{package} {path.relative_to(folder)} {file_digest(path)}\n".encode())
    return total.hexdigest()


def left_in(folder: Path) -> list[Path]:
    """The files directly in a folder, except hidden ones and those set aside; none where there is no folder."""
    return sorted(path for path in folder.glob("[!.]*") if path.is_file() and ASIDE not in path.name)


@lru_cache(maxsize=256)
def _large_digest(path: Path, size: int, time_ns: int) -> str:
    """`file_digest`, computed once per process as long as size and time stay the same."""
    return file_digest(path)


@dataclass(frozen=True)
class Stamp:
    """A stage that succeeded: the fingerprint of its inputs, how long it took, and its output files.

    `files`: by path from the run folder, size in bytes and SHA-256. `device`: the hardware that it computed on, in
    words. Both None in stamps of earlier versions.
    """

    inputs: str
    seconds: float
    files: Mapping[str, tuple[int, str]] | None = None
    device: str | None = None

    def fault(self, name: str, root: Path) -> str | None:
        """What is wrong with an output file of the stage in the run folder `root`; None where nothing is."""
        assert self.files is not None
        path, (size, digest) = root / name, self.files[name]
        if not path.exists():
            return f"{path} is missing"
        if not path.is_file():
            return f"{path} is not a file"
        status = path.stat()
        if status.st_size != size:
            return f"{path} is damaged ({status.st_size} bytes, expected {size})"
        found = _large_digest(path, size, status.st_mtime_ns) if size >= LARGE_BYTES else file_digest(path)
        return None if found == digest else f"{path} is damaged (its checksum does not match)"

    def faults(self, root: Path) -> dict[str, str]:
        """What is wrong, by file, with the stage's output files."""
        found = {name: self.fault(name, root) for name in self.files or ()}
        return {name: fault for name, fault in found.items() if fault is not None}


def listed(paths: Iterable[Path], root: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of files, by their paths from `root`."""
    return {path.relative_to(root).as_posix(): (path.stat().st_size, file_digest(path)) for path in paths}


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Write a stamp atomically."""
    write_json(path, vars(stamp))


def read_stamp(path: Path) -> Stamp | None:
    """A stage's stamp, None where there is none. Raises DamagedError."""
    try:
        content = read_json(path, "inputs", "seconds")
        files = content.get("files")
        known = None if files is None else {name: (int(size), str(digest)) for name, (size, digest) in files.items()}
        device = content.get("device")
        return Stamp(str(content["inputs"]), float(content["seconds"]), known, None if device is None else str(device))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def check_file(path: Path, stamp: Path, root: Path) -> None:
    """Raise DamagedError where a file is not as the stage of `stamp` wrote it in the run folder `root`.

    A file that no stamp lists, such as an earlier version's, is accepted.
    """
    found, name = read_stamp(stamp), path.relative_to(root).as_posix()
    if found is not None and found.files is not None and name in found.files and (fault := found.fault(name, root)):
        raise DamagedError(fault)
