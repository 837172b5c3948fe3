"""Append-only files of records, one per writer: an interrupted run resumes, several processes answer at once."""

import fcntl
import logging
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import NamedTuple, TextIO

from gliobench.records.errors import RecordError
from gliobench.records.record import Record, differs, parse_record

log = logging.getLogger(__name__)

FSYNC_EVERY = 64  # lines; each line is flushed at once, so only a power cut can lose up to this many


class Line(NamedTuple):
    """A line of a file of records: its number, from 1, its text, and its record or its fault."""

    path: Path
    number: int
    text: str
    found: Record | str

    @property
    def place(self) -> str:
        return f"{self.path}, line {self.number}"


class RecordStore:
    """The records of one model in one study: JSON lines in `path`, and in the folder beside it that has its name
    without the ending, one file per further writer. A context manager while it is written.

    `writer`: whose file is written, `path` itself where there is none. Two writers never share a file, so that nothing
    rests on locks that reach from one machine to another; a second process that opens the same file on this machine
    gets a RecordError naming it. Where a record cannot be written, such as on a full disk, `append` raises RecordError;
    every record before it is kept. What `records` has parsed, and `append` has written, stays in memory as long as no
    other process changes the files.
    """

    def __init__(self, path: Path, writer: str | None = None) -> None:
        self.path = path
        self._own = path if writer is None else folder_of(path) / f"{writer}{path.suffix}"
        self._file: FileIO | None = None
        self._unsynced = 0
        self._parsed: dict[str, Record] = {}
        self._parsed_at: dict[Path, tuple[int, int, int]] | None = None

    def __enter__(self) -> "RecordStore":
        self._own.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = self._own.open("ab+", buffering=0)
        except IsADirectoryError as error:
            raise RecordError(f"{self._own} is a folder, expected a file of answers. {self._way_on()}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise RecordError(f"{self._own} is being written by another process: wait for it, or stop it") from error
        except OSError:  # no locks here, such as on NFS without its lock service
            log.info("%s: this file system has no locks", self._own)
        self._drop_torn_line()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def append(self, record: Record) -> None:
        """Add one record; it survives the process from now on."""
        if self._file is None:
            raise RuntimeError(f"{self._own} is not open for writing")
        known, text = self._parsed_at == self._versions(), record.to_json() + "\n"
        self._write(text, record.subject)
        if known:
            self._parsed[record.key], self._parsed_at = parse_record(text), self._versions()

    def gather(self) -> None:
        """Move what other writers have left, and are done with, into this file: then it holds all records.

        Raises as `records` does.
        """
        assert self._file is not None
        if not (others := [path for path in self.files if path != self._own and not _is_written(path)]):
            return
        own = {line.found.key for line in lines_of(self._own) if isinstance(line.found, Record)}
        self.records()  # raises where answers differ
        for path in others:
            for line in lines_of(path):
                if isinstance(line.found, Record) and line.found.key not in own:
                    self._write(line.text, line.found.subject)
                    own.add(line.found.key)
            os.fsync(self._file.fileno())
            path.unlink()

    def _write(self, text: str, subject: str) -> None:
        assert self._file is not None
        whole, line = self._file.seek(0, os.SEEK_END), memoryview(text.encode())
        try:
            while line:
                line = line[self._file.write(line) :]
            self._unsynced += 1
            if self._unsynced >= FSYNC_EVERY:
                os.fsync(self._file.fileno())
                self._unsynced = 0
        except OSError as error:
            self._file.truncate(whole)
            raise RecordError(
                f"{self._own}: the answer about {subject} cannot be written ({error.strerror}); all before it "
                "are kept. Free disk space and run the same command again: it resumes where it stopped"
            ) from error

    def records(self) -> Mapping[str, Record]:
        """The record of each key, parsed again only where a file has changed. Raises as `read` does, and RecordError
        where two lines give one question different answers."""
        versions = self._versions()
        if versions != self._parsed_at:
            self._parsed, self._parsed_at = self._union(), versions
        return self._parsed

    def _union(self) -> dict[str, Record]:
        found: dict[str, tuple[Line, Record]] = {}
        for line, record in self._complete():
            first = found.setdefault(record.key, (line, record))
            if differs(first[1], record):
                raise RecordError(
                    f"{line.place}: another answer of {record.model} about {record.subject} ({record.task}) than in "
                    f"{first[0].place}: nothing here says which counts. Run `gliobench repair {self._root()}`: it "
                    "moves both aside, and the next run asks this question again"
                )
        return {key: record for key, (_, record) in found.items()}

    def contradicted(self) -> set[str]:
        """The keys of the questions to which lines give different answers."""
        first: dict[str, Record] = {}
        found = [line.found for line in self.lines() if isinstance(line.found, Record)]
        return {one.key for one in found if differs(first.setdefault(one.key, one), one)}

    @property
    def files(self) -> list[Path]:
        """Every writer's file that there is, the model's own first."""
        others = sorted(folder_of(self.path).glob(f"[!.]*{self.path.suffix}"))
        return [self.path, *others] if self.path.exists() else others

    def _versions(self) -> dict[Path, tuple[int, int, int]]:
        """Changes with every change of the files by anybody."""
        found = {path: path.stat() for path in self.files}
        return {path: (one.st_ino, one.st_size, one.st_mtime_ns) for path, one in found.items()}

    def read(self) -> Iterator[Record]:
        """Every complete record of every writer, each one's oldest first. An incomplete last line is skipped with a
        warning; any other line that is not a record raises RecordError naming the file and the line."""
        return (record for _, record in self._complete())

    def _complete(self) -> Iterator[tuple[Line, Record]]:
        for line in self.lines():
            if isinstance(line.found, Record):
                yield line, line.found
            elif line.text.endswith("\n"):
                raise RecordError(f"{line.place}: {line.found}. {self._way_on()}")
            else:
                log.warning("%s is incomplete and skipped; its question will be asked again", line.place)

    def lines(self) -> Iterator[Line]:
        """Every line of every writer."""
        for path in self.files:
            yield from lines_of(path, self._way_on())

    def _way_on(self) -> str:
        return (
            f"Restore the file from a copy, or run `gliobench repair {self._root()}`: it keeps every "
            "complete record, and the next run asks for the others again"
        )

    def _root(self) -> Path:
        return self.path.parent.parent

    def _drop_torn_line(self) -> None:
        """Remove the incomplete last line of a killed writer, so that the next record starts on a line of its own."""
        assert self._file is not None
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            log.warning("%s: removed an incomplete last line of %d bytes", self._own, len(data) - whole)
            self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)


def folder_of(path: Path) -> Path:
    """Where further writers of the records in `path` have their files."""
    return path.with_name(path.name.removesuffix(path.suffix))


def _is_written(path: Path) -> bool:
    """Whether a process on this machine has the file open for writing."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no locks here
            return False
    return False


def lines_of(path: Path, way_on: str = "") -> Iterator[Line]:
    """Every line of one file. Raises RecordError, with the `way_on`, where it is a folder."""
    with _opened(path, way_on) as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith("\n"):
                yield Line(path, number, text, "it is incomplete")
                continue
            try:
                yield Line(path, number, text, parse_record(text))
            except ValueError as error:
                yield Line(path, number, text, str(error))


def _opened(path: Path, way_on: str) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", errors="replace", newline="\n")
    except IsADirectoryError as error:
        raise RecordError(f"{path} is a folder, expected a file of answers. {way_on}") from error
