"""An append-only file of records: an interrupted run resumes."""

import fcntl
import logging
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import TextIO

from gliobench.records.errors import RecordError
from gliobench.records.record import Record, parse_record

log = logging.getLogger(__name__)

FSYNC_EVERY = 64  # lines; each line is flushed at once, so only a power cut can lose up to this many


class RecordStore:
    """The records of one model in one study: JSON lines in `path`. A context manager while it is written.

    Opening it for writing takes an exclusive lock; a second writer gets a RecordError naming the file. Where a record
    cannot be written, such as on a full disk, `append` raises RecordError; every record before it is kept. What
    `records` has parsed, and `append` has written, stays in memory as long as no other process changes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None
        self._unsynced = 0
        self._parsed: dict[str, Record] = {}
        self._parsed_at: tuple[int, int, int] | None = None

    def __enter__(self) -> "RecordStore":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = self.path.open("ab+", buffering=0)
        except IsADirectoryError as error:
            raise RecordError(f"{self.path} is a folder, expected a file of answers. {self._way_on()}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise RecordError(f"{self.path} is being written by another process: wait for it, or stop it") from error
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
            raise RuntimeError(f"{self.path} is not open for writing")
        known = self._parsed_at == self._version()
        whole, text = self._file.seek(0, os.SEEK_END), record.to_json() + "\n"
        line = memoryview(text.encode())
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
                f"{self.path}: the answer about {record.subject} cannot be written ({error.strerror}); all before it "
                "are kept. Free disk space and run the same command again: it resumes where it stopped"
            ) from error
        if known:
            self._parsed[record.key], self._parsed_at = parse_record(text), self._version()

    def records(self) -> Mapping[str, Record]:
        """The newest record of each key, parsed again only where the file has changed. Raises as `read` does."""
        version = self._version()
        if version != self._parsed_at:
            self._parsed, self._parsed_at = {record.key: record for record in self.read()}, version
        return self._parsed

    def _version(self) -> tuple[int, int, int]:
        """Changes with every change of the file by anybody; zeros where there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_ino, found.st_size, found.st_mtime_ns

    def read(self) -> Iterator[Record]:
        """Every complete record, oldest first. An incomplete last line is skipped with a warning; any other line that
        is not a record raises RecordError naming the file and the line."""
        for number, line, found in self.lines():
            if isinstance(found, Record):
                yield found
            elif line.endswith("\n"):
                raise RecordError(f"{self.path}, line {number}: {found}. {self._way_on()}")
            else:
                log.warning(
                    "%s: line %d is incomplete and skipped; its question will be asked again", self.path, number
                )

    def lines(self) -> Iterator[tuple[int, str, Record | str]]:
        """Every line with its number, from 1, and its record or its fault."""
        if not self.path.exists():
            return
        with self._opened() as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith("\n"):
                    yield number, line, "it is incomplete"
                    continue
                try:
                    yield number, line, parse_record(line)
                except ValueError as error:
                    yield number, line, str(error)

    def _opened(self) -> TextIO:
        try:
            return self.path.open(encoding="utf-8-sig", errors="replace", newline="\n")
        except IsADirectoryError as error:
            raise RecordError(f"{self.path} is a folder, expected a file of answers. {self._way_on()}") from error

    def _way_on(self) -> str:
        return (
            f"Restore the file from a copy, or run `gliobench repair {self.path.parent.parent}`: it keeps every "
            "complete record, and the next run asks for the others again"
        )

    def _drop_torn_line(self) -> None:
        """Remove the incomplete last line of a killed writer, so that the next record starts on a line of its own."""
        assert self._file is not None
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            log.warning("%s: removed an incomplete last line of %d bytes", self.path, len(data) - whole)
            self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)
