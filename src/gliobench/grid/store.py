"""Prepared patients on disk: one folder each, named by its content key, written atomically, and memory-mapped.

    <store>/<key>/image.npy   (C, D, H, W) uint8
    <store>/<key>/labels.npy  (D, H, W) uint8, where there is a mask
    <store>/<key>/readers.npy (D, H, W) uint8, where single readers' masks are known
    <store>/<key>/meta.json   the rest, shape, size and CRC-32 of each array's file, and a checksum of all this

The scan's patient is in each run's `prepared.json`, as two cohorts may differ on it for the same files. The key hashes
the bytes of the source files, so an existing patient is recognised without decompressing. A folder is written under a
temporary name and renamed when all of it is on disk: any number of processes may prepare the same patient, and a killed
one leaves nothing that could be taken for a patient.
"""

import errno
import io
import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from isal.isal_zlib import crc32  # zlib's, several times faster
from numpy.typing import NDArray

from gliobench.cohort.read import SubjectError, cohort_faults, decode_subject, faults_error, read_files
from gliobench.cohort.subject import Cohort, Fault, Findings, Subject
from gliobench.errors import GliobenchError
from gliobench.grid.prepare import prepare_subject
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.recipe import Recipe, content_key
from gliobench.integrity import DamagedError, read_json, sealed_json

UNFINISHED = ".part"
ABANDONED_SECONDS = 3600


class StoreError(GliobenchError, ValueError):
    """A stored patient that cannot be read; the message names the folder."""


@dataclass(frozen=True)
class _Outcome:
    """The result for a patient: stored or invalid."""

    stored: PreparedSubject | None = None
    faults: tuple[Fault, ...] = ()


def prepare_cohort(
    cohort: Cohort,
    recipe: Recipe,
    store: Path,
    *,
    windows: Mapping[str, tuple[int, int]] | None = None,
    skip_bad: bool = False,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[PreparedSubject], tuple[Fault, ...]]:
    """Prepare and store every patient that is not stored yet; return them all, in the cohort's order, and the faults.

    `windows`: by id, where the grid begins, for patients where it is known (`Recipe.window`). `workers` threads
    (decompression, interpolation and NumPy release the GIL). `progress(done, total)` is called after each patient.
    Stored patients are verified (CRC-32) and prepared again where they are damaged. Raises CohortError listing every
    invalid patient, those of `cohort.faults` too, unless `skip_bad`; the valid ones are stored in any case.
    """
    store.mkdir(parents=True, exist_ok=True)
    _sweep(store)
    pool = ThreadPoolExecutor(workers)
    try:
        futures = [
            pool.submit(_subject, one, cohort, replace(recipe, window=(windows or {}).get(one.id)), store)
            for one in cohort.subjects
        ]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()  # a full disk stops here, not after the last patient
            if progress is not None:
                progress(done, len(futures))
    finally:
        pool.shutdown(cancel_futures=True)
    outcomes = [future.result() for future in futures]
    stored = [outcome.stored for outcome in outcomes if outcome.stored]
    together = cohort_faults(cohort, {subject.id: subject.findings for subject in stored})
    faults = (*cohort.faults, *(fault for outcome in outcomes for fault in outcome.faults), *together)
    if faults and not skip_bad:
        raise faults_error(cohort, faults)
    bad = {fault.subject_id for fault in together}
    return [subject for subject in stored if subject.id not in bad], faults


def open_subject(folder: Path) -> PreparedSubject:
    """A stored patient, its arrays mapped read-only. Raises StoreError where it is missing, unfinished or damaged.

    Every byte is checked against its checksum the first time that a process opens the patient.
    """
    meta = _read_meta(folder)
    try:
        if meta["content"] != folder.name:
            raise _damaged(folder, f"meta.json is of the patient {meta['content']}")
        arrays = {name: _map(folder / name, entry["bytes"], entry["shape"]) for name, entry in meta["files"].items()}
        for name, entry in meta["files"].items():
            _check(folder / name, entry["crc32"])
        width, height, depth = meta["native_shape"]
        return PreparedSubject(
            id=meta["id"],
            grade=meta["grade"],
            image=arrays["image.npy"],
            labels=arrays.get("labels.npy"),
            readers=arrays.get("readers.npy"),
            affine=np.array(meta["affine"], dtype=np.float64),
            native_affine=np.array(meta["native_affine"], dtype=np.float64),
            native_shape=(width, height, depth),
            oracle=meta["oracle"],
            content=meta["content"],
            findings=_findings(meta),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, f"meta.json has no valid {error}") from error


def _subject(subject: Subject, cohort: Cohort, recipe: Recipe, store: Path) -> _Outcome:
    """The stored patient, prepared if needed; or its faults."""
    try:
        files = read_files(subject)
        known = (files.content, subject.id, subject.grade, recipe)
        keys = [content_key(*known, other, cohort.problem) for other in (False, True)]
        folder = next((store / key for key in keys if _is_whole(store / key, cohort.absent)), None)
        if folder is None:
            raw = decode_subject(files, cohort.labels, cohort.problem)
            made = prepare_subject(raw, recipe, cohort.problem)
            folder = store / made.content
            _write(made, folder, cohort.absent)
        return _Outcome(
            replace(open_subject(folder), patient=subject.patient, problem=cohort.problem, variables=subject.variables)
        )
    except SubjectError as error:
        return _Outcome(faults=error.faults)


def _findings(meta: dict[str, Any]) -> Findings:
    """The findings; empty for a patient stored by an earlier version."""
    kept = meta.get("findings", {})
    voxels = {name: tuple(digests) for name, digests in kept.get("voxels", {}).items()}
    return Findings(voxels, tuple(kept.get("labels", ())), tuple(kept.get("notes", ())))


def _write(prepared: PreparedSubject, folder: Path, absent: bool) -> None:
    part = folder.with_name(f".{folder.name[:16]}-{uuid.uuid4().hex}{UNFINISHED}")
    part.mkdir()
    found = {"image.npy": prepared.image, "labels.npy": prepared.labels, "readers.npy": prepared.readers}
    arrays = {name: array for name, array in found.items() if array is not None}
    meta = {
        "id": prepared.id,
        "grade": prepared.grade,
        "affine": prepared.affine.tolist(),
        "native_affine": prepared.native_affine.tolist(),
        "native_shape": prepared.native_shape,
        "oracle": prepared.oracle,
        "content": prepared.content,
        "findings": asdict(prepared.findings),
        "files": {name: _write_array(part / name, array) for name, array in arrays.items()},
    }
    _write_bytes(part / "meta.json", sealed_json("meta.json", meta))
    _sync_folder(part)
    _publish(part, folder, absent)
    _sync_folder(folder.parent)


def _publish(part: Path, folder: Path, absent: bool) -> None:
    """Move a finished folder to its place; where another process has already put one, that one stays."""
    while True:
        try:
            part.rename(folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        if _is_whole(folder, absent):
            shutil.rmtree(part)
            return
        damaged = part.with_name(f".{uuid.uuid4().hex}{UNFINISHED}")
        with suppress(FileNotFoundError):  # another process moved it away first
            folder.rename(damaged)
            shutil.rmtree(damaged)


def _write_array(path: Path, array: NDArray[np.uint8]) -> dict[str, Any]:
    """The array as `numpy.save` writes it, without a copy of it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    parts = (header.getvalue(), np.ascontiguousarray(array).data.cast("B"))
    _write_bytes(path, *parts)
    return {"shape": array.shape, "bytes": sum(map(len, parts)), "crc32": crc32(parts[1], crc32(parts[0]))}


def _write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(folder: Path, absent: bool) -> bool:
    """Whether every byte of a stored patient is intact, its findings are known, and its mask, if any, is not empty
    unless it may be (`absent`): earlier versions stored patients without findings, and with the tumour outside the
    grid."""
    if not folder.exists():
        return False
    try:
        labels = open_subject(folder).labels
        return "findings" in _read_meta(folder) and (absent or labels is None or bool(labels.any()))
    except StoreError:
        return False


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / "meta.json")
    except FileNotFoundError as error:
        raise _damaged(folder, "there is no meta.json") from error
    except (OSError, DamagedError) as error:
        raise _damaged(folder, f"meta.json cannot be read: {error}") from error


def _map(path: Path, expected_bytes: int, shape: list[int]) -> NDArray[np.uint8]:
    """The array at the end of its file, mapped.

    Not by `numpy.load`, which parses the header with Python: that sometimes fails in several threads before Python
    3.11.8 (python/cpython#106905).
    """
    try:
        found_bytes = path.stat().st_size
        if found_bytes != expected_bytes:
            raise _damaged(path.parent, f"{path.name} has {found_bytes} bytes, expected {expected_bytes}")
        offset = expected_bytes - math.prod(shape)
        return np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=tuple(shape))
    except StoreError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise _damaged(path.parent, f"{path.name}: {error}") from error


_checked: set[tuple[str, int, int, int]] = (
    set()
)  # files whose checksum this process has verified: path, size, time, sum


def _check(path: Path, expected: int) -> None:
    """Raise StoreError where a file's CRC-32 is not the expected one; an unchanged file is read once."""
    status = path.stat()
    seen = (str(path), status.st_size, status.st_mtime_ns, expected)
    if seen in _checked:
        return
    if crc32(np.memmap(path, dtype=np.uint8, mode="r")) != expected:
        raise _damaged(path.parent, f"the checksum of {path.name} does not match")
    _checked.add(seen)


def _damaged(folder: Path, why: str) -> StoreError:
    return StoreError(f"{folder}: not a complete prepared patient ({why}): run `gliobench prepare` again")


def _sweep(store: Path) -> None:
    """Remove unfinished folders of killed processes; recent ones may belong to a running process."""
    for part in store.glob(f".*{UNFINISHED}"):
        with suppress(FileNotFoundError):  # its process has just finished it
            if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
