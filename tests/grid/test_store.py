"""Stored once, whole or not at all, and by many at a time."""

import ast
import json
import multiprocessing
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from gliobench.cohort import read as read_module
from gliobench.cohort.formats.volume_file import read_stored
from gliobench.cohort.subject import Cohort, CohortError, Fault, ImageFile, Subject
from gliobench.grid import store as store_module
from gliobench.grid.recipe import Recipe
from gliobench.grid.store import StoreError, open_subject, prepare_cohort

RECIPE = Recipe("brain", (12, 14, 16))


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Three patients on disk; the second has no mask and no grade."""
    subjects = []
    for number, name in enumerate(("anna", "ben", "cleo")):
        folder = tmp_path / "cohort" / name
        folder.mkdir(parents=True)
        voxels = np.zeros((20, 22, 18), np.int16)
        voxels[3:17, 4:19, 2:15] = np.random.default_rng(number).integers(50, 300, (14, 15, 13))
        mask = (voxels > 280).astype(np.uint8)
        for modality in ("flair", "t1", "t1ce", "t2"):
            nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1, 1, 1])), folder / f"{modality}.nii.gz")
        nib.save(nib.Nifti1Image(mask, np.diag([-1.0, -1, 1, 1])), folder / "mask.nii.gz")
        images = {modality: ImageFile(folder / f"{modality}.nii.gz") for modality in ("flair", "t1", "t1ce", "t2")}
        known = name != "ben"
        subjects.append(Subject(name, number % 2 if known else None, images, folder / "mask.nii.gz" if known else None))
    return Cohort("made", tmp_path / "cohort", "by hand", frozenset({1}), tuple(subjects))


def refuse(*arguments: Any) -> None:
    raise AssertionError("this patient was decompressed again")


def test_patients_come_back_in_the_cohorts_order_and_are_not_made_twice(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    opened: Counter[Path] = Counter()
    monkeypatch.setattr(read_module, "read_stored", lambda path: opened.update([path]) or read_stored(path))
    first, faults = prepare_cohort(
        cohort, RECIPE, tmp_path / "store", progress=lambda done, total: seen.append((done, total))
    )
    assert ([subject.id for subject in first], faults) == (["anna", "ben", "cleo"], ())
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert (len(opened), set(opened.values())) == (14, {1}), "each file is read once"
    assert [subject.grade for subject in first] == [0, None, 0]
    assert first[1].labels is None
    assert isinstance(first[0].image, np.memmap)
    assert not first[0].image.flags.writeable
    monkeypatch.setattr(store_module, "decode_subject", refuse)
    again, _ = prepare_cohort(cohort, RECIPE, tmp_path / "store", workers=1)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image, other.image)
        assert (one.content, one.spacing_mm, one.native_shape) == (other.content, other.spacing_mm, (20, 22, 18))
        assert open_subject(tmp_path / "store" / one.content).id == one.id


def test_another_recipe_grade_or_file_is_another_patient_in_the_store(cohort: Cohort, tmp_path: Path) -> None:
    anna = cohort.subjects[0]
    keys = set()
    for subject, recipe in (
        (anna, RECIPE),
        (anna, Recipe("brain", (12, 14, 17))),
        (anna, Recipe("tumour", (12, 14, 16))),
        (Subject(anna.id, 1, anna.images, anna.mask), RECIPE),
        (Subject(anna.id, anna.grade, anna.images, None), RECIPE),
        (Subject("dora", anna.grade, anna.images, anna.mask), RECIPE),
    ):
        one = Cohort("one", cohort.root, "by hand", cohort.labels, (subject,))
        keys.add(prepare_cohort(one, recipe, tmp_path / "store")[0][0].content)
    assert len(keys) == 6
    assert {folder.name for folder in (tmp_path / "store").iterdir()} == keys


DAMAGES = (
    *("no meta", "half meta", "no shape", "wrong shape", "short image", "no labels", "empty folder", "flipped bit"),
    *("another grade", "another patient", "another image"),
)
SEEN_BY_PREPARE = ("no tumour",)


@pytest.mark.parametrize("damage", [*DAMAGES, *SEEN_BY_PREPARE])
def test_a_half_written_or_damaged_patient_is_redone_and_never_read(
    cohort: Cohort, tmp_path: Path, damage: str
) -> None:
    store = tmp_path / "store"
    whole = prepare_cohort(cohort, RECIPE, store)[0][0]
    image, folder = whole.image.copy(), store / whole.content
    if damage == "no meta":
        (folder / "meta.json").unlink()
    elif damage == "half meta":
        (folder / "meta.json").write_text((folder / "meta.json").read_text()[:100])
    elif damage in ("no shape", "wrong shape"):  # the first is a folder of an earlier version
        meta = json.loads((folder / "meta.json").read_text())
        del meta["checksum"]
        shape = meta["files"]["image.npy"].pop("shape")
        if damage == "wrong shape":
            meta["files"]["image.npy"]["shape"] = [2 * shape[0], *shape[1:]]
        (folder / "meta.json").write_text(json.dumps(meta))
    elif damage == "short image":
        os.truncate(folder / "image.npy", 1000)
    elif damage == "flipped bit":
        content = bytearray((folder / "image.npy").read_bytes())
        content[-700] ^= 4
        (folder / "image.npy").write_bytes(content)
    elif damage == "no tumour":  # an earlier version stored a tumour that the grid loses so
        meta = json.loads((folder / "meta.json").read_text())
        del meta["checksum"]
        meta["files"]["labels.npy"] = store_module._write_array(folder / "labels.npy", np.zeros(RECIPE.shape, np.uint8))
        (folder / "meta.json").write_text(json.dumps(meta))
    elif damage == "another grade":
        meta = (folder / "meta.json").read_text()
        (folder / "meta.json").write_text(meta.replace('"grade": 0', '"grade": 1'))
    elif damage.startswith("another"):  # whole, but another's
        other = next(path for path in store.iterdir() if path != folder)
        name = {"another patient": "meta.json", "another image": "image.npy"}[damage]
        (folder / name).write_bytes((other / name).read_bytes())
    elif damage == "no labels":
        (folder / "labels.npy").unlink()
    else:
        for path in folder.iterdir():
            path.unlink()
    if damage in DAMAGES:
        with pytest.raises(StoreError, match="gliobench prepare"):
            open_subject(folder)
    redone = prepare_cohort(cohort, RECIPE, store)[0][0]
    assert np.array_equal(redone.image, image)
    assert redone.tumour.any()
    assert len(list(store.iterdir())) == 3


def test_opening_parses_no_source(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`numpy.load` does, and threads that parse at once may fail in Python 3.11.7 (python/cpython#106905)."""
    stored = prepare_cohort(cohort, RECIPE, tmp_path / "store")[0][0]
    assert np.array_equal(np.load(tmp_path / "store" / stored.content / "image.npy"), stored.image)
    monkeypatch.setattr(ast, "literal_eval", refuse)
    opened = open_subject(tmp_path / "store" / stored.content)
    assert np.array_equal(opened.image, stored.image)
    assert opened.labels is not None


def test_what_a_killed_process_left_is_swept_when_it_is_old(cohort: Cohort, tmp_path: Path) -> None:
    store = tmp_path / "store"
    old, young = store / ".old.part", store / ".young.part"
    for part in (old, young):
        part.mkdir(parents=True)
        (part / "image.npy").write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    subjects, _ = prepare_cohort(cohort, RECIPE, store)
    assert {path.name for path in store.iterdir()} == {".young.part", *(subject.content for subject in subjects)}


def prepare_many_times(cohort: Cohort, store: Path, barrier: Any) -> None:
    barrier.wait()
    prepare_cohort(cohort, RECIPE, store, workers=2)


def test_many_processes_may_prepare_the_same_patients(cohort: Cohort, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    store = tmp_path / "store"
    processes = [context.Process(target=prepare_many_times, args=(cohort, store, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    folders = list(store.iterdir())
    assert len(folders) == 3  # nothing half-written is left beside them
    assert {open_subject(folder).id for folder in folders} == {"anna", "ben", "cleo"}


def test_all_faults_are_told_at_once_and_the_good_ones_are_kept(cohort: Cohort, tmp_path: Path) -> None:
    broken = cohort.subjects[0].images["t1"].path
    broken.write_bytes(broken.read_bytes()[:200])
    cohort.subjects[2].images["t2"].path.unlink()
    earlier = Fault("zoe", "has no flair")
    cohort = Cohort(cohort.name, cohort.root, cohort.layout, cohort.labels, cohort.subjects, (earlier,))
    with pytest.raises(CohortError, match="3 invalid patients") as caught:
        prepare_cohort(cohort, RECIPE, tmp_path / "store")
    assert {fault.subject_id for fault in caught.value.faults} == {"zoe", "anna", "cleo"}
    good, faults = prepare_cohort(cohort, RECIPE, tmp_path / "store", skip_bad=True)
    assert [subject.id for subject in good] == ["ben"]
    assert [fault.subject_id for fault in faults] == ["zoe", "anna", "cleo"]
    assert faults[2].path == cohort.subjects[2].images["t2"].path


def test_one_persons_images_under_two_ids_are_at_fault(cohort: Cohort, tmp_path: Path) -> None:
    anna, ben, _ = cohort.subjects
    twin = Subject("dora", 1, anna.images, None)
    cohort = Cohort(cohort.name, cohort.root, cohort.layout, cohort.labels, (anna, ben, twin))
    with pytest.raises(CohortError, match=r"anna: .* dora\n  dora: .* anna"):
        prepare_cohort(cohort, RECIPE, tmp_path / "store")
    good, faults = prepare_cohort(cohort, RECIPE, tmp_path / "store", skip_bad=True)
    assert [subject.id for subject in good] == ["ben"]
    assert [fault.subject_id for fault in faults] == ["anna", "dora"]


def test_an_oracle_recipe_names_every_patient_without_a_mask(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="ben: preset `tumour`"):
        prepare_cohort(cohort, Recipe("tumour", (12, 14, 16)), tmp_path / "store")
    good, _ = prepare_cohort(cohort, Recipe("tumour", (12, 14, 16)), tmp_path / "store", skip_bad=True)
    assert all(subject.oracle for subject in good)
    meta = json.loads((tmp_path / "store" / good[0].content / "meta.json").read_text())
    assert meta["oracle"] is True
