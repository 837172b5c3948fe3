"""Phantoms are always the same, look like patients to every reader, and differ by grade as real gliomas do."""

import hashlib
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliobench.cohort.phantom import write_phantom
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import HGG, LGG, Cohort, CohortError


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.nii.gz"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantoms")
    write_phantom(out, subjects=4, seed=0)
    return out


@pytest.fixture(scope="module")
def cohort(folder: Path) -> Cohort:
    return read_cohort(folder)


def test_the_same_seed_gives_the_same_bytes_whatever_the_count(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_phantom(tmp_path / "six", subjects=6, seed=0, spacing_mm=3)
    write_phantom(folder, subjects=1, seed=0, spacing_mm=3, workers=1)
    first = digests(folder)
    assert first.items() <= digests(tmp_path / "six").items()
    assert len(read_cohort(folder).subjects) == 1
    (folder / ".DS_Store").touch()
    write_phantom(folder, subjects=1, seed=1, spacing_mm=3)
    assert not set(digests(folder).values()) & set(first.values())


@pytest.mark.parametrize(
    ("path", "content", "named"),
    [
        ("name_mapping.csv", "Grade,BraTS_2020_subject_ID\nHGG,BraTS20_Training_001\n", "BraTS20_Training_001"),
        ("name_mapping.csv", "Grade,BraTS_2020_subject_ID\nHGG,Phantom_001\nLGG,Phantom_002\n", "Phantom_002"),
        ("BraTS20_Training_001/BraTS20_Training_001_t1.nii.gz", "", "BraTS20_Training_001"),
        ("Phantom_002/Phantom_002_t1.nii.gz", "", "Phantom_002"),
        ("HGG/A/A_t1.nii.gz", "", "HGG"),
        ("notes.txt", "mine", "notes.txt"),
    ],
)
def test_a_folder_that_holds_others_is_left_as_it_is(tmp_path: Path, path: str, content: str, named: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(content)
    with pytest.raises(CohortError, match=named):
        write_phantom(tmp_path, subjects=1, seed=0)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [tmp_path / path]
    assert (tmp_path / path).read_text() == content


def test_they_are_read_as_brats_2020_with_both_grades(cohort: Cohort) -> None:
    assert cohort.layout == "BraTS 2020"
    assert [subject.grade for subject in cohort.subjects] == [HGG, LGG, HGG, LGG]
    assert all(subject.id.startswith("Phantom_") for subject in cohort.subjects), "never taken for a real patient"


def test_a_brain_of_human_size_in_nothing(cohort: Cohort) -> None:
    for subject in cohort.subjects:
        raw = load_subject(subject, cohort.labels)
        assert raw.images.shape == (4, 240, 240, 155)
        brain = (raw.images > 0).all(axis=0)
        # Adult brains, fluid included, as real skull-stripped scans hold it: some 1,000 to 1,900 cm3.
        assert 1000 < brain.sum() / 1000 < 1900
        assert not raw.images[:, ~brain].any()
        assert raw.labels is not None
        assert brain[raw.labels > 0].all()


def test_high_grades_enhance_more_than_low_ones(cohort: Cohort) -> None:
    share: dict[int | None, list[float]] = {LGG: [], HGG: []}
    for subject in cohort.subjects:
        raw = load_subject(subject, cohort.labels)
        assert raw.labels is not None
        share[subject.grade].append(float((raw.labels == 4).sum() / (raw.labels > 0).sum()))
    assert np.mean(share[HGG]) > np.mean(share[LGG])


def test_oedema_is_bright_in_flair_and_the_ring_in_contrast(cohort: Cohort) -> None:
    raw = load_subject(cohort.subjects[0], cohort.labels)
    assert raw.labels is not None
    flair, t1, t1ce, _ = raw.images.astype(float)
    healthy = (flair > 0) & (raw.labels == 0)
    assert flair[raw.labels == 2].mean() > 1.3 * np.median(flair[healthy])
    ring = raw.labels == 4
    assert t1ce[ring].mean() / np.median(t1ce[healthy]) > t1[ring].mean() / np.median(t1[healthy])


def test_coarse_phantoms_are_the_same_kind_of_patient(tmp_path: Path) -> None:
    write_phantom(tmp_path, subjects=3, seed=0, spacing_mm=3)
    for subject in (cohort := read_cohort(tmp_path)).subjects:
        raw = load_subject(subject, cohort.labels)
        assert raw.images.shape == (4, 80, 80, 51)
        assert np.allclose(np.abs(np.diag(raw.affine)), [3, 3, 3, 1])
        brain = (raw.images > 0).all(axis=0)
        assert 1000 < brain.sum() * 27 / 1000 < 1900  # cm3
        assert raw.labels is not None
        assert 5 < (raw.labels > 0).sum() * 27 / 1000 < 250
        assert raw.images[0][raw.labels == 2].mean() > 1.2 * np.median(raw.images[0][brain & (raw.labels == 0)])


def test_timepoints_are_one_patients_and_the_tumour_grows_where_it_was(tmp_path: Path) -> None:
    write_phantom(tmp_path / "once", subjects=2, seed=0, spacing_mm=3)
    write_phantom(tmp_path / "thrice", subjects=2, seed=0, spacing_mm=3, timepoints=3)
    cohort = find_cohort(tmp_path / "thrice")
    patients = {subject.id: subject.patient for subject in cohort.subjects}
    assert patients == {f"Phantom_{n:03d}-{t:03d}": f"Phantom_{n:03d}" for n in (1, 2) for t in range(3)}
    for number in ("001", "002"):
        own = [subject for subject in cohort.subjects if subject.patient == f"Phantom_{number}"]
        assert len({subject.grade for subject in own}) == 1
        masks = [np.asarray(nib.load(subject.mask).dataobj) > 0 for subject in own]
        for before, after in pairwise(masks):
            assert 1.05 < after.sum() / before.sum() < 1.5
            assert (before & after).sum() > 0.95 * before.sum()
        flair = [np.asarray(nib.load(subject.images["flair"].path).dataobj) for subject in own]
        assert not np.array_equal(flair[0], flair[1])
        once = tmp_path / "once" / f"Phantom_{number}" / f"Phantom_{number}_flair.nii.gz"
        assert once.read_bytes() == own[0].images["flair"].path.read_bytes()  # the first scan is that of one alone
