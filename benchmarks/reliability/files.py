"""Damaged and odd files of a cohort: what reading makes of each, against the same patients undamaged.

    python benchmarks/reliability/files.py --seed 0

Every case starts from two phantoms, as BraTS 2020's folders, as a table or as the Decathlon, changes one thing, and
prepares them in a process of its own with bounded memory and time. Its outcome is one of

    equal           the prepared arrays and grades are those of the undamaged patients
    noted           they may differ, and a note that reaches the report says why
    refused         one line for each fault, naming patient or file
    silent change   they differ, and nothing says so
    traceback, memory, no end

The first three are right where they are what the case expects. Ends in one line of JSON; exit status 1 where a case is
not as expected.
"""

import argparse
import gzip
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

if __name__ == "__main__":  # read when torch is imported; a test that imports this leaves its processes as they are
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import nibabel as nib
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from gliobench.cohort.phantom import write_phantom
from gliobench.cohort.read import find_cohort, patient_notes
from gliobench.cohort.subject import CohortError
from gliobench.grid.recipe import Recipe
from gliobench.grid.store import prepare_cohort

MEMORY_BYTES = 2**29  # more than the process has when the case begins
SECONDS = 20.0
SHAPE = (12, 16, 16)
EMPTY_GZIP = gzip.compress(b"")
FIRST, SECOND = "Phantom_001", "Phantom_002"
MODALITIES = ("flair", "t1", "t1ce", "t2")
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One change of a cohort that lies in the form `base`, and the outcome that is right."""

    name: str
    base: str
    expected: str
    change: Change


@dataclass(frozen=True)
class Outcome:
    kind: str
    words: str
    kilobytes: int = 0


# ---- the forms


def as_folders(source: Path, root: Path) -> None:
    shutil.copytree(source, root)


def as_table(source: Path, root: Path) -> None:
    shutil.copytree(source, root, ignore=shutil.ignore_patterns("name_mapping.csv"))
    rows = [["id", "grade", *MODALITIES, "mask"]]
    for id, grade in ((FIRST, "HGG"), (SECOND, "LGG")):
        rows.append([id, grade, *(f"{id}/{id}_{name}.nii.gz" for name in (*MODALITIES, "seg"))])
    (root / "patients.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")


def as_decathlon(source: Path, root: Path) -> None:
    entries = []
    for id in (FIRST, SECOND):
        images = [nib.load(source / id / f"{id}_{name}.nii.gz") for name in MODALITIES]
        save(root / f"imagesTr/{id}.nii.gz", np.stack([image.dataobj for image in images], -1), images[0].affine)
        mask = np.asarray(nib.load(source / id / f"{id}_seg.nii.gz").dataobj)
        save(root / f"labelsTr/{id}.nii.gz", np.array([0, 2, 1, 0, 3], np.uint8)[mask], images[0].affine)
        entries.append({"image": f"./imagesTr/{id}.nii.gz", "label": f"./labelsTr/{id}.nii.gz"})
    description = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        "training": entries,
    }
    (root / "dataset.json").write_text(json.dumps(description))


BASES = {"folders": as_folders, "table": as_table, "decathlon": as_decathlon}


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, affine, dtype=voxels.dtype), path)


# ---- changes of one file


def file_of(root: Path, name: str, id: str = FIRST) -> Path:
    return root / id / f"{id}_{name}.nii.gz"


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Change:
    """A change of the file as it lies on disk."""

    def apply(root: Path) -> None:
        path = file_of(root, name)
        path.write_bytes(change(path.read_bytes()))

    return apply


def header(place: int, form: str, *values: float | bytes, names: tuple[str, ...] = ("t1",)) -> Change:
    """Values written into the header of some files, at a byte of nifti1.h."""

    def apply(root: Path) -> None:
        for name in names:
            path = file_of(root, name)
            content = bytearray(gzip.decompress(path.read_bytes()))
            struct.pack_into(form, content, place, *values)
            path.write_bytes(gzip.compress(bytes(content), 1))

    return apply


def voxels_of(name: str, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Change:
    """A change of voxels and affine; `name` may be several, with spaces between."""

    def apply(root: Path) -> None:
        for one in name.split():
            image = nib.load(file_of(root, one))
            save(file_of(root, one), *change(np.asarray(image.dataobj), image.affine))

    return apply


def as_type(dtype: str) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    return lambda voxels, affine: (voxels.astype(dtype), affine)


def turned(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image = nib.as_closest_canonical(nib.Nifti1Image(voxels, affine))
    return np.asarray(image.dataobj), image.affine


def moved(off_mm: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    return lambda voxels, affine: (voxels, affine + np.array([[0, 0, 0, off_mm]] + [[0] * 4] * 3))


def with_noise(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return voxels + np.random.default_rng(0).integers(1, 9, voxels.shape, dtype=np.int16), affine


def with_voxel(value: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def apply(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        changed = voxels.astype(np.float32)
        changed[tuple(side // 2 for side in changed.shape)] = value
        return changed, affine

    return apply


def twice(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([voxels] * 2, -1), affine


def z_scored(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return ((voxels - voxels.mean()) / voxels.std()).astype(np.float32), affine


def plain(name: str, keep: float = 1.0, suffix: str = ".nii") -> Change:
    """The file unpacked, of which a part is kept."""

    def apply(root: Path) -> None:
        path = file_of(root, name)
        content = gzip.decompress(path.read_bytes())
        path.unlink()
        path.with_name(path.name.removesuffix(".nii.gz") + suffix).write_bytes(content[: int(keep * len(content))])

    return apply


def bomb(root: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    path, zeros = file_of(root, "t1"), bytes(2**24)
    pieces = [packer.compress(gzip.decompress(path.read_bytes()))]
    pieces += [packer.compress(zeros) for _ in range(192)]  # 3 GiB
    path.write_bytes(b"".join([*pieces, packer.flush()]))


def sparse(root: Path) -> None:
    path = file_of(root, "t1")
    content = gzip.decompress(path.read_bytes())
    path.unlink()
    with path.with_suffix("").open("wb") as file:
        file.write(content)
        file.truncate(3 * 2**30)


def packed_again(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content), 2)


def in_members(content: bytes) -> bytes:
    content = gzip.decompress(content)
    return b"".join(gzip.compress(content[start : start + 2000], 1) for start in range(0, len(content), 2000))


def big_endian(root: Path) -> None:
    image = nib.load(file_of(root, "t1"))
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj).astype(">i2"), image.affine, header), file_of(root, "t1"))


def with_sibling(change: bool, name: str) -> Change:
    def apply(root: Path) -> None:
        image = nib.load(file_of(root, name))
        voxels = np.asarray(image.dataobj).copy()
        voxels[0, 0, 0] += change
        save(file_of(root, name).with_suffix(""), voxels, image.affine)

    return apply


def replaced(make: Callable[[Path], object]) -> Change:
    """Something else in the place of t1's file."""

    def apply(root: Path) -> None:
        path = file_of(root, "t1")
        path.rename(root / FIRST / "kept.bin")
        make(path)

    return apply


def folder_with_file(path: Path) -> None:
    path.mkdir()
    (path.parent / "kept.bin").rename(path / "whatever.nii.gz")


# ---- changes of folders and tables


def renamed(change: Callable[[Path], str]) -> Change:
    def apply(root: Path) -> None:
        for path in sorted(root.glob("*/*.nii.gz")):
            path.rename(path.with_name(change(path)))

    return apply


def enclosed(*names: str) -> Change:
    def apply(root: Path) -> None:
        inside = root.with_name("inside")
        root.rename(inside)
        root.joinpath(*names).parent.mkdir(parents=True)
        inside.rename(root.joinpath(*names))

    return apply


def copied_patient(*names: str, change: Callable[[bytes], bytes] = bytes) -> Change:
    """The second patient's images are the first's."""

    def apply(root: Path) -> None:
        for name in names:
            file_of(root, name, SECOND).write_bytes(change(file_of(root, name).read_bytes()))

    return apply


def patient_called(name: str | bytes) -> Change:
    def apply(root: Path) -> None:
        (root / FIRST).rename(root / os.fsdecode(name))

    return apply


def written(name: str, content: str | bytes) -> Change:
    data = content.encode() if isinstance(content, str) else content
    return lambda root: (root / name).write_bytes(data)


def edited(name: str, *pairs: tuple[str, str], encoding: str = "utf-8") -> Change:
    def apply(root: Path) -> None:
        text = (root / name).read_text()
        for old, new in pairs:
            text = text.replace(old, new)
        (root / name).write_bytes(text.encode(encoding))

    return apply


def described(**changed: object) -> Change:
    def apply(root: Path) -> None:
        path = root / "dataset.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return apply


def macos(root: Path) -> None:
    for path in list(root.glob("*/*.nii.gz")):
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7Mac OS X")
    (root / "__MACOSX" / FIRST).mkdir(parents=True)
    (root / "__MACOSX" / FIRST / f"{FIRST}_t1.nii.gz").write_bytes(b"\0\5\x16\7")
    (root / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def emptied(root: Path) -> None:
    for path in (root / FIRST).iterdir():
        path.unlink()


def without_patient(root: Path) -> None:
    shutil.rmtree(root / FIRST)
    (root / FIRST).write_text("")


def two_cohorts(root: Path) -> None:
    enclosed("training")(root)
    shutil.copytree(root / "training", root / "validation")


def replaced_by_folder(name: str) -> Change:
    def apply(root: Path) -> None:
        (root / name).unlink()
        (root / name).mkdir()

    return apply


# ---- the cases


def cases(seed: int) -> Iterator[Case]:
    """All cases; which bytes are hit depends on the seed."""
    yield from _contents(np.random.default_rng(seed))
    yield from _headers()
    yield from _volumes()
    yield from _masks()
    yield from _places()
    yield from _mappings(np.random.default_rng(seed + 1))
    yield from _tables(np.random.default_rng(seed + 2))
    yield from _descriptions(np.random.default_rng(seed + 3))


def _contents(random: np.random.Generator) -> Iterator[Case]:
    def folders(name: str, expected: str, change: Change) -> Case:
        return Case(name, "folders", expected, change)

    def in_t1(change: Callable[[bytes], bytes]) -> Change:
        return bytes_of("t1", change)

    def flipped(place: float, bit: int, content: bytes) -> bytes:
        damaged = bytearray(content)
        damaged[10 + int(place * (len(content) - 10))] ^= 1 << bit  # behind gzip's own header
        return bytes(damaged)

    for number in range(20):
        flip = partial(flipped, float(random.random()), int(random.integers(8)))
        yield folders(f"bit flipped {number}", "refused", bytes_of(("t1", "t2", "seg")[number % 3], flip))
    for cut in (1, 7, 8, 100):
        yield folders(f"gzip short by {cut}", "refused", in_t1(lambda all, cut=cut: all[:-cut]))
    for keep in (0.0, 0.001, 0.3, 0.99):
        part = partial(lambda keep, all: all[: int(keep * len(all))], keep)
        yield folders(f"gzip, {keep:.1%} of it", "refused", bytes_of("flair", part))
        yield folders(f"not packed, {keep:.1%} of it", "refused", plain("t2", keep))
    for name, content in {
        "nothing": b"",
        "a byte": b"\x1f",
        "gzip's magic": b"\x1f\x8b",
        "text": b"this is no scan",
        "HTML": b"<html><body>404 Not Found</body></html>" * 20,
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "zip": b"PK\3\4" + bytes(600),
        "zeros": bytes(4000),
        "noise": random.bytes(4000),
        "noise, packed": gzip.compress(random.bytes(4000)),
    }.items():
        yield folders(f"instead of a scan {name}", "refused", in_t1(lambda _, all=content: all))
    yield folders("junk behind the gzip", "refused", in_t1(lambda all: all + b"junk"))
    yield folders("zeros behind the gzip", "equal", in_t1(lambda all: all + bytes(512)))
    yield folders("packed again", "equal", in_t1(packed_again))
    yield folders("many gzip members", "equal", in_t1(in_members))
    yield folders("not packed", "equal", plain("t1"))
    yield folders("not packed, called .nii.gz", "equal", plain("t1", suffix=".nii.gz"))
    yield folders("a gzip of 3 GiB", "refused", bomb)
    yield folders("a file of 3 GiB", "refused", sparse)
    yield folders(
        "empty gzip members without end",
        expected="refused",
        change=in_t1(lambda _: EMPTY_GZIP * 200_000),
    )


def _headers() -> Iterator[Case]:
    everywhere = (*MODALITIES, "seg")
    for name, expected, change in (
        ("dim[0] 0", "refused", header(40, "<h", 0)),
        ("dim[0] 2", "refused", header(40, "<h", 2)),
        ("dim[0] 7", "equal", header(40, "<h", 7)),
        ("dim[0] 100", "refused", header(40, "<h", 100)),
        ("dim[1] negative", "refused", header(42, "<h", -40)),
        ("dim[2] zero", "refused", header(44, "<h", 0)),
        ("dim[3] one less", "refused", header(46, "<h", 24)),
        ("dim[3] one more", "refused", header(46, "<h", 26)),
        ("dim all 32767", "refused", header(42, "<3h", 32767, 32767, 32767)),
        ("dim 1000 x 1000 x 250", "refused", header(42, "<3h", 1000, 1000, 250)),
        ("dim 40 x 40 x 25 x 3", "refused", header(40, "<5h", 4, 40, 40, 25, 3)),
        ("type uint8", "refused", header(70, "<2h", 2, 8)),
        ("type float32", "refused", header(70, "<2h", 16, 32)),
        ("type complex64", "refused", header(70, "<2h", 32, 64)),
        ("type RGB", "refused", header(70, "<2h", 128, 24)),
        ("type 0", "refused", header(70, "<2h", 0, 0)),
        ("type bit", "refused", header(70, "<2h", 1, 1)),
        ("type unknown", "refused", header(70, "<2h", 9999, 16)),
        ("bitpix alone wrong", "equal", header(72, "<h", 64)),
        ("vox_offset 0", "refused", header(108, "<f", 0)),
        ("vox_offset 100", "refused", header(108, "<f", 100)),
        ("vox_offset a voxel on", "refused", header(108, "<f", 354)),
        ("vox_offset 1e6", "refused", header(108, "<f", 1e6)),
        ("vox_offset 1e30", "refused", header(108, "<f", 1e30)),
        ("vox_offset NaN", "refused", header(108, "<f", float("nan"))),
        ("vox_offset negative", "refused", header(108, "<f", -352)),
        ("slope NaN", "equal", header(112, "<2f", float("nan"), 0)),
        ("slope 0", "equal", header(112, "<2f", 0, 0)),
        ("slope 2", "equal", header(112, "<2f", 2, 0)),
        ("slope infinite", "equal", header(112, "<2f", float("inf"), 0)),
        ("slope 1e38", "refused", header(112, "<2f", 1e38, 0)),
        ("intercept -1024", "noted", header(112, "<2f", 1, -1024)),
        ("intercept NaN", "refused", header(112, "<2f", 1, float("nan"))),
        ("units of metres", "refused", header(123, "<B", 1)),
        ("sform NaN", "refused", header(280, "<f", float("nan"))),
        ("sform infinite", "refused", header(292, "<f", float("inf"))),
        ("sform all 0", "refused", header(280, "<12f", *[0] * 12)),
        ("sform moved 0.01 mm", "noted", header(292, "<f", 0.01)),
        ("sform of 1000 mm", "refused", header(280, "<f", 1000, names=everywhere)),
        ("no orientation in one", "refused", header(252, "<2h", 0, 0)),
        ("no orientation in all", "refused", header(252, "<2h", 0, 0, names=everywhere)),
        ("no orientation in the mask", "refused", header(252, "<2h", 0, 0, names=("seg",))),
        ("qform alone, broken", "refused", header(252, "<2h3f", 1, 0, 9, 9, 9)),
        ("magic gone", "refused", header(344, "<4s", b"\0\0\0\0")),
        ("magic of a pair", "equal", header(344, "<4s", b"ni1\0")),
        ("size of another header", "equal", header(0, "<i", 1)),
        ("NIfTI-2's size", "refused", header(0, "<i", 540)),
        ("pixdim NaN", "equal", header(80, "<3f", *[float("nan")] * 3)),
    ):
        yield Case(f"header: {name}", "folders", expected, change)


def _volumes() -> Iterator[Case]:
    every, images = "flair t1 t1ce t2 seg", "flair t1 t1ce t2"
    for name, expected, change in (
        ("big-endian", "equal", big_endian),
        ("float32", "equal", voxels_of("t1", as_type("f4"))),
        ("float64", "equal", voxels_of("t1", as_type("f8"))),
        ("int32", "equal", voxels_of("t1", as_type("i4"))),
        ("uint16", "equal", voxels_of("t1", as_type("u2"))),
        ("4D with one volume", "equal", voxels_of("t1", lambda voxels, affine: (voxels[..., None], affine))),
        (
            "4D with two volumes",
            "refused",
            voxels_of("t1", twice),
        ),
        ("2D", "refused", voxels_of("t1", lambda voxels, affine: (voxels[..., 0], affine))),
        ("one slice less", "refused", voxels_of("t1", lambda voxels, affine: (voxels[..., :-1], affine))),
        ("turned in all files", "equal", voxels_of(every, turned)),
        ("turned in one file", "noted", voxels_of("t1", turned)),
        ("turned mask", "noted", voxels_of("seg", turned)),
        ("NaN", "refused", voxels_of("t1", with_voxel(np.nan))),
        ("infinite", "refused", voxels_of("t1", with_voxel(-np.inf))),
        ("all zero", "equal", lambda root: None),
        ("background -1024 in one", "noted", voxels_of("t2", lambda voxels, affine: (voxels - 1024, affine))),
        ("background -1024 in all", "noted", voxels_of(images, lambda voxels, affine: (voxels - 1024, affine))),
        ("z-scored", "noted", voxels_of(images, z_scored)),
        ("noise around the head", "noted", voxels_of("t2", with_noise)),
        ("images of nothing", "refused", voxels_of(images, lambda voxels, affine: (0 * voxels, affine))),
        ("images of one value", "refused", voxels_of(images, lambda voxels, affine: (0 * voxels + 5, affine))),
        ("two images alike", "refused", copied_patient("t1")),
        ("all images alike", "refused", copied_patient(*images.split())),
        (
            "alike, packed otherwise",
            "refused",
            copied_patient("t2", change=packed_again),
        ),
    ):
        yield Case(f"volume: {name}", "folders", expected, change)


def probabilities(mask: np.ndarray) -> np.ndarray:
    return (mask > 0) * np.linspace(0, 1, mask.size).reshape(mask.shape)


def _masks() -> Iterator[Case]:
    def labels(change: Callable[[np.ndarray], np.ndarray]) -> Change:
        return voxels_of("seg", lambda voxels, affine: (change(voxels), affine))

    for name, expected, change in (
        ("float64", "equal", labels(lambda mask: mask.astype(np.float64))),
        ("int16", "equal", labels(lambda mask: mask.astype(np.int16))),
        ("a rounding error off", "equal", labels(lambda mask: mask.astype(np.float32) * np.float32(0.9995))),
        ("half a label", "refused", labels(lambda mask: mask * np.float32(0.5))),
        (
            "probabilities",
            "refused",
            labels(probabilities),
        ),
        ("0 to 255", "refused", labels(lambda mask: (mask > 0).astype(np.uint8) * 255)),
        ("negative", "refused", labels(lambda mask: -mask.astype(np.int16))),
        ("label 3", "refused", labels(lambda mask: np.where(mask == 4, 3, mask).astype(np.uint8))),
        ("label 260", "refused", labels(lambda mask: mask.astype(np.int16) + 256 * (mask == 4))),
        ("NaN", "refused", labels(lambda mask: np.where(mask > 0, np.nan, 0))),
        ("empty", "refused", labels(np.zeros_like)),
        ("0.01 mm off", "noted", voxels_of("seg", moved(0.01))),
        ("100 mm off", "refused", voxels_of("seg", moved(100.0))),
        ("0.0001 mm off", "equal", voxels_of("seg", moved(0.0001))),
        ("with the identity", "refused", voxels_of("seg", lambda mask, affine: (mask, np.eye(4)))),
        (
            "other axes, lost header",
            "refused",
            voxels_of("seg", lambda mask, affine: (mask.swapaxes(0, 2), affine)),
        ),
        ("missing", "noted", lambda root: file_of(root, "seg").unlink()),
        (
            "called otherwise",
            "noted",
            lambda root: file_of(root, "seg").rename(root / FIRST / "W39_Segm.nii.gz"),
        ),
        ("there twice, the same", "equal", with_sibling(False, "seg")),
        ("there twice, different", "refused", with_sibling(True, "seg")),
    ):
        yield Case(f"mask: {name}", "folders", expected, change)


def _places() -> Iterator[Case]:
    for name, expected, change in (
        ("a folder instead of the file", "refused", replaced(Path.mkdir)),
        ("a folder that holds the file", "equal", replaced(folder_with_file)),
        ("a loop of links", "refused", replaced(lambda path: path.symlink_to(path.name))),
        ("a link to nowhere", "refused", replaced(lambda path: path.symlink_to("nowhere"))),
        ("a link to the file", "equal", replaced(lambda path: path.symlink_to("kept.bin"))),
        ("a pipe", "refused", replaced(os.mkfifo)),
        ("twice, the same", "equal", with_sibling(False, "t1")),
        ("twice, different", "refused", with_sibling(True, "t1")),
        ("missing", "refused", lambda root: file_of(root, "t1").unlink()),
        ("capitals", "equal", renamed(lambda path: path.name.upper())),
        ("capitals in the ending", "equal", renamed(lambda path: path.name.replace("_seg", "_Seg"))),
        ("macOS", "equal", macos),
        ("logs", "noted", lambda root: (root / "logs").mkdir()),
        ("an outer folder", "equal", enclosed("archive", "MICCAI_BraTS2020_TrainingData")),
        ("four outer folders", "refused", enclosed("a", "b", "c", "d")),
        ("two cohorts", "refused", two_cohorts),
        ("a folder linked to its parent", "noted", lambda root: (root / "loop").symlink_to(root)),
        ("a patient with an escape sequence", "refused", patient_called("\x1b[31mP1")),
        ("a patient with a new line", "refused", patient_called("P\n1")),
        ("a patient in no encoding", "refused", patient_called(b"P\xff1")),
        (
            "a patient whose folder is empty",
            "refused",
            emptied,
        ),
        (
            "a file instead of the folder",
            "noted",
            without_patient,
        ),
        ("an empty folder", "refused", lambda root: (shutil.rmtree(root), root.mkdir())),
        ("a scan instead of the folder", "refused", lambda root: (shutil.rmtree(root), root.write_bytes(b"\x1f\x8b"))),
    ):
        yield Case(f"folder: {name}", "folders", expected, change)


def _mappings(random: np.random.Generator) -> Iterator[Case]:
    table = "name_mapping.csv"
    edit = partial(edited, table)
    for name, expected, change in (
        ("byte-order mark", "equal", edit(encoding="utf-8-sig")),
        ("semicolons", "equal", edit((",", ";"))),
        ("tabs", "equal", edit((",", "\t"))),
        ("Windows line ends", "equal", edit(("\n", "\r\n"))),
        ("spaces", "equal", edit((",", " , "))),
        ("UTF-16", "refused", edit(encoding="utf-16")),
        ("empty", "refused", written(table, "")),
        ("names alone", "noted", written(table, "Grade,BraTS_2020_subject_ID\n")),
        ("no column Grade", "refused", edit(("Grade", "Degree"))),
        (
            "two grades of one",
            "refused",
            edit(("subject_ID", f"subject_ID\nLGG,{FIRST}")),
        ),
        ("WHO 2 and 4", "noted", edit(("LGG", "2"), ("HGG", "4"))),
        ("WHO II and IV", "noted", edit(("LGG", "II"), ("HGG", "IV"))),
        ("0 and 1", "equal", edit(("LGG", "0"), ("HGG", "1"))),
        ("0.0 and 1.0", "equal", edit(("LGG", "0.0"), ("HGG", "1.0"))),
        ("false and true", "equal", edit(("LGG", "false"), ("HGG", "True"))),
        ("1 alone", "refused", edit(("LGG", "1"), ("HGG", "1"))),
        ("0 and 4", "refused", edit(("LGG", "0"), ("HGG", "4"))),
        ("unknown words", "refused", edit(("HGG", "GBM?"))),
        ("unknown grade", "refused", edit(("LGG", "5"))),
        ("ids that fit nobody", "refused", edit(("Phantom_00", "phantom-"))),
        ("an id more", "noted", edit(("LGG", "LGG,Phantom_009\nLGG"))),
        ("a row without id", "equal", lambda root: (root / table).write_text((root / table).read_text() + "HGG,\n")),
        ("NUL", "noted", edit((FIRST, f"{FIRST}\0"))),
        ("noise", "refused", written(table, random.bytes(2000))),
        ("a cell of 1 MB", "refused", edit((FIRST, "x" * 2**20))),
        ("a folder", "noted", replaced_by_folder(table)),
    ):
        yield Case(f"name_mapping.csv: {name}", "folders", expected, change)


def _tables(random: np.random.Generator) -> Iterator[Case]:
    table = "patients.csv"

    def parquet(root: Path) -> None:
        (root / table).unlink()
        (root / "a.parquet").write_bytes(b"PAR1" + random.bytes(500))

    edit = partial(edited, table)
    row = f"{FIRST}/{FIRST}_"
    for name, expected, change in (
        ("byte-order mark", "equal", edit(encoding="utf-8-sig")),
        ("semicolons", "equal", edit((",", ";"))),
        ("other names", "equal", edit(("t1ce,", "T1c,"), ("mask", "Seg"), ("id,", "Subject,"))),
        ("an empty row", "equal", lambda root: (root / table).write_text((root / table).read_text() + ",,,,,,\n\n")),
        ("a row cut short", "refused", edit((f",{row}t2.nii.gz,{row}seg.nii.gz", ""))),
        ("a path that is missing", "refused", edit((f"{row}t2", f"{row}t3"))),
        ("a path with NUL", "refused", edit((f"{row}t2", f"{row}\0"))),
        ("a path with an escape sequence", "refused", edit((f"{row}t2", f"{row}\x1b[2J"))),
        ("a path of 5000 letters", "refused", edit((f"{row}t2", "x" * 5000))),
        ("a path that is a folder", "refused", edit((f"{row}t2.nii.gz", FIRST))),
        ("a path outside", "equal", edit((f"{row}t2", f"../cohort/{row}t2"))),
        ("one file for two", "refused", edit((f"{row}t2", f"{row}t1"))),
        ("an id twice", "refused", edit((f"\n{SECOND},", f"\n{FIRST},"))),
        ("an id that leads elsewhere", "refused", edit((f"\n{FIRST},", "\n../P1,"))),
        ("no id", "refused", edit((f"\n{FIRST},", "\n,"))),
        ("no column t2", "noted", edit((",t2,", ",t3,"))),
        ("two columns for one", "refused", edit((",t2,mask", ",t2,mask,label"), ("seg.nii.gz", "seg.nii.gz,"))),
        ("an unknown grade", "refused", edit((",HGG,", ",glioma,"))),
        (
            "an unknown label scheme",
            "refused",
            edit((",mask", ",mask,label_scheme"), ("seg.nii.gz", "seg.nii.gz,mine")),
        ),
        (
            "its own label scheme",
            "equal",
            edit((",mask", ",mask,label_scheme"), ("seg.nii.gz", "seg.nii.gz,brats-2018")),
        ),
        ("two tables", "refused", lambda root: shutil.copy(root / table, root / "test.csv")),
        ("noise", "noted", written(table, random.bytes(2000))),
        ("noise called Parquet", "noted", parquet),
        ("an open quote", "refused", edit((f"\n{SECOND}", f'\n"{SECOND}'))),
    ):
        yield Case(f"table: {name}", "table", expected, change)


def _descriptions(random: np.random.Generator) -> Iterator[Case]:
    name = "dataset.json"
    image = {"image": f"./imagesTr/{FIRST}.nii.gz"}
    for said, expected, change in (
        ("byte-order mark", "equal", edited(name, encoding="utf-8-sig")),
        ("modalities in a list", "equal", described(modality=["FLAIR", "T1w", "t1gd", "T2w"])),
        ("cut off", "refused", lambda root: (root / name).write_text((root / name).read_text()[:-40])),
        ("empty", "refused", written(name, "")),
        ("a list", "refused", written(name, "[]")),
        ("nested", "refused", written(name, "[" * 200_000)),
        ("noise", "refused", written(name, random.bytes(900))),
        ("a number of 5000 digits", "refused", written(name, f'{{"modality": {"9" * 5000}}}')),
        ("no modalities", "refused", described(modality={})),
        ("modality a number", "refused", described(modality=4)),
        ("modality numbers", "refused", described(modality={"0": 0})),
        ("labels in lists", "refused", described(labels={"whole": [1, 2, 3]})),
        ("other labels", "refused", described(labels={"0": "background", "1": "liver"})),
        ("training a number", "refused", described(training=7)),
        ("training names", "refused", described(training=[image["image"]])),
        ("an entry without label", "refused", described(training=[image])),
        ("an entry of numbers", "refused", described(training=[{"image": 1, "label": 2}])),
        ("an entry with NUL", "refused", described(training=[image | {"label": "a\0b"}])),
        ("an entry twice", "refused", described(training=[image | {"label": f"./labelsTr/{FIRST}.nii.gz"}] * 2)),
        ("a file that is missing", "refused", lambda root: (root / f"labelsTr/{FIRST}.nii.gz").unlink()),
        ("nnU-Net", "refused", described(channel_names={"0": "FLAIR"}, file_ending=".nii.gz")),
        ("a channel too many", "refused", described(modality={"0": "FLAIR", "1": "T1w", "2": "t1gd", "9": "T2w"})),
        ("a folder", "refused", replaced_by_folder(name)),
    ):
        yield Case(f"dataset.json: {said}", "decathlon", expected, change)


# ---- what became of them


def run(case: Case, sources: Path, undamaged: dict[str, tuple[str, tuple[str, ...]]]) -> Outcome:
    """The outcome of one case, in a process of its own."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="files-") as folder:
        root = Path(folder) / "cohort"
        BASES[case.base](sources, root)
        case.change(root)
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(root, Path(folder) / "store", theirs))
        process.start()
        theirs.close()
        try:
            if not mine.poll(SECONDS):
                return Outcome("no end", f"more than {SECONDS:g} s")
            kind, words, kilobytes = mine.recv()
        except EOFError:
            return Outcome("traceback", "the process died")
        finally:
            process.kill()
            process.join()
    if kind == "read":
        digests, notes = words
        same, usual = undamaged[case.base]
        notes = [note for note in notes if note not in usual]
        kind = "noted" if notes else "equal" if digests == same else "silent change"
        words = "; ".join(notes)
        if not all(one.isprintable() for one in words):
            return Outcome("traceback", f"not for a terminal: {words!r}")
    return Outcome(kind, words, kilobytes)


def _child(root: Path, store: Path, answer: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))
    kind, words = _read(root, store)
    answer.send((kind, words, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def _read(root: Path, store: Path) -> tuple[str, object]:
    try:
        cohort = find_cohort(root)
        subjects, _ = prepare_cohort(cohort, Recipe("brain", SHAPE), store, workers=1)
    except CohortError as error:
        message = str(error)
        named = all(
            FIRST in line or SECOND in line or str(root) in line or "row " in line for line in message.split("\n")[:1]
        )
        printable = all(one.isprintable() or one == "\n" for one in message)
        return ("refused", message.split("\n")[-1]) if named and printable else ("traceback", f"unnamed: {message}")
    except MemoryError:
        return "memory", "MemoryError"
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    whole = hashlib.sha256()
    for subject in subjects:
        whole.update(f"{subject.id} {subject.grade} {np.round(subject.affine, 2) + 0.0}".encode())
        whole.update(subject.image.tobytes())
        whole.update(b"" if subject.labels is None else subject.labels.tobytes())
    notes = (*cohort.notes, *patient_notes({subject.id: subject.findings for subject in subjects}))
    return "read", (whole.hexdigest(), notes)


def campaign(seed: int, every: int = 1) -> list[tuple[Case, Outcome]]:
    """All cases, or one in `every`, and what became of them."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="files-") as folder:
        sources = Path(folder) / "phantoms"
        write_phantom(sources, subjects=2, seed=seed, spacing_mm=6)
        undamaged = {base: _undamaged(base, sources) for base in BASES}
        return [(case, run(case, sources, undamaged)) for case in list(cases(seed))[::every]]


def _undamaged(base: str, sources: Path) -> tuple[str, tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="files-") as folder:
        BASES[base](sources, Path(folder) / "cohort")
        kind, found = _read(Path(folder) / "cohort", Path(folder) / "store")
    assert kind == "read", found
    digest, notes = found  # type: ignore[misc]
    return digest, notes


def main() -> None:
    options = _options()
    results = campaign(options.seed, options.every)
    table = Table("case", "expected", "outcome", "words")
    for case, outcome in results:
        if options.all or outcome.kind != case.expected:
            table.add_row(case.name, case.expected, outcome.kind, outcome.words[:160])
    Console(width=200).print(table)
    counts = Counter(outcome.kind for _, outcome in results)
    wrong = [case.name for case, outcome in results if outcome.kind != case.expected]
    kinds = ("equal", "noted", "refused", "silent change", "traceback", "memory", "no end")
    print(
        json.dumps(
            {
                "benchmark": "reliability/files",
                "seed": options.seed,
                "cases": len(results),
                **{kind.replace(" ", "_"): counts[kind] for kind in kinds},
                "not_as_expected": wrong,
                "most_memory_mb": round(max(outcome.kilobytes for _, outcome in results) / 1024),
            }
        )
    )
    sys.exit(bool(wrong))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="take one case in so many")
    parser.add_argument("--all", action="store_true", help="show every case, not only what is not as expected")
    return parser.parse_args()


if __name__ == "__main__":
    main()
