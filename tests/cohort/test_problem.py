"""A problem says what images, classes and labels a cohort has, and nothing else does."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from gliobench.cohort.classes import ClassError, read_classes
from gliobench.cohort.problem import GLIOMA, NODULES, Problem
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError
from gliobench.grid.prepare import prepare_subject
from gliobench.grid.recipe import Recipe

CT = {
    "name": "nodules",
    "images": {"ct": {"window": [-1000, 400]}},
    "classes": ["benign", "malignant"],
    "unknown": ["indeterminate"],
    "target": "nodule",
    "regions": {"nodule": [1]},
    "body": "everything",
}


def problem(**other: object) -> Problem:
    return TypeAdapter(Problem).validate_python({**CT, **other})


def test_images_classes_and_regions_keep_their_order() -> None:
    made = problem(images={"pet": None, "ct": [-1000, 400]}, regions={"rim": {"labels": [2, 3], "words": "rim"}})
    assert made.names == ("pet", "ct")
    assert [image.window for image in made.images] == [None, (-1000.0, 400.0)]
    assert (made.none, made.positive_class, made.labels) == (2, 1, {2, 3})
    assert [made.class_name(number) for number in (0, 1, 2, None)] == ["benign", "malignant", "no nodule", "unknown"]
    assert (made.words_of_class(0), made.words_of_class(2)) == ("benign nodule", "no nodule")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"images": {}}, "images"),
        ({"images": {"mask": None}}, "mask"),
        ({"images": {"ct": None, "CT": None}}, "ct"),
        ({"images": {"ct": {"window": [400, -1000]}}}, "ct: window"),
        ({"classes": ["one"]}, "two or more"),
        ({"classes": ["a", "A"]}, "a"),
        ({"positive": "other"}, "benign, malignant"),
        ({"regions": {"nodule": [0]}}, "regions"),
        ({"bright": "pet"}, "pet"),
        ({"differences": [["ct", "pet"]]}, "pet"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        problem(**wrong)


def test_gliomas_are_what_they_were() -> None:
    assert GLIOMA.names == ("flair", "t1", "t1ce", "t2")
    assert GLIOMA.shown_in("rgb", 3) == ("t1ce", "t2", "flair")
    assert (GLIOMA.labels, GLIOMA.none, GLIOMA.no_target) == ({1, 2, 3, 4}, 2, "no glioma")
    assert NODULES.shown_in("rgb", 3) == ("ct",)


def test_classes_are_read_by_name_and_nothing_else() -> None:
    cells = ["Benign", "MALIGNANT", "", "indeterminate", "1", "grade 2"]
    *known, number, other = read_classes(cells, "class", problem())[0]
    assert known == [0, 1, None, None]
    assert isinstance(number, ClassError)
    assert isinstance(other, ClassError)
    assert read_classes(["LGG", "HGG"], "grade", GLIOMA)[0] == [0, 1]


def cohort(root: Path, header: str, masks: tuple[int, ...] = (1, 1)) -> Path:
    """A table of two patients with one image each; `masks`: the label of each."""
    root.mkdir()
    lines = [header]
    for number, label in enumerate(masks):
        image = np.random.default_rng(number).integers(-900, 300, (6, 7, 8)).astype(np.int16)
        mask = np.zeros((6, 7, 8), np.uint8)
        mask[2:4, 2:4, 2:4] = label
        nib.save(nib.Nifti1Image(image, np.eye(4)), root / f"ct{number}.nii.gz")
        nib.save(nib.Nifti1Image(mask, np.eye(4)), root / f"mask{number}.nii.gz")
        lines.append(f"P{number},{('benign', 'malignant')[number]},ct{number}.nii.gz,mask{number}.nii.gz,{40 + number}")
    (root / "cohort.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("header", ["id,class,CT,mask,Age", "id,grade,image,seg,Age", "ID,class,volume,label,Age"])
def test_a_table_of_one_image_is_read_with_what_else_it_says(tmp_path: Path, header: str) -> None:
    found = find_cohort(cohort(tmp_path / "data", header), problem())
    assert [(one.id, one.grade, list(one.images), one.variables) for one in found.subjects] == [
        ("P0", 0, ["ct"], {"Age": "40"}),
        ("P1", 1, ["ct"], {"Age": "41"}),
    ]
    raw = load_subject(found.subjects[0], found.labels)
    assert raw.images.shape == (1, 6, 7, 8)


def test_labels_outside_the_regions_are_refused_and_without_regions_any_is_read(tmp_path: Path) -> None:
    root = cohort(tmp_path / "data", "id,class,ct,mask,age", (1, 7))
    with pytest.raises(CohortError, match=r"P1: .*labels 7; expected 0, 1"):
        read_cohort(root, problem())
    assert len(read_cohort(root, problem(regions={"nodule": [1, 7]})).subjects) == 2
    assert len(read_cohort(root, problem(regions={})).subjects) == 2


def test_a_patient_without_the_target_is_read_where_the_problem_says_so(tmp_path: Path) -> None:
    root = cohort(tmp_path / "data", "id,class,ct,mask,age", (1, 0))
    with pytest.raises(CohortError, match="P1: the mask is empty"):
        read_cohort(root, problem())
    assert [one.id for one in read_cohort(root, problem(absent="allowed")).subjects] == ["P0", "P1"]


def test_a_cohort_without_the_problems_images_names_them(tmp_path: Path) -> None:
    root = cohort(tmp_path / "data", "id,class,ct,mask,age")
    with pytest.raises(CohortError, match=r"flair, t1, t1ce, t2 of the problem glioma"):
        find_cohort(root)
    with pytest.raises(CohortError, match=r"pet, ct of the problem nodules"):
        find_cohort(root, problem(images={"pet": None, "ct": None}))


@pytest.mark.parametrize("coded", [True, False])
def test_masks_of_several_readers_are_read_and_make_the_mask_where_there_is_none(tmp_path: Path, coded: bool) -> None:
    root = cohort(tmp_path / "data", "id,class,ct,mask,age")
    masks = np.zeros((3, 6, 7, 8), np.uint8)
    masks[0, 1:4, 2, 2], masks[1, 2:5, 2, 2], masks[2, 2:4, 2, 2] = 1, 1, 1
    bits = (masks * np.array([1, 2, 4], np.uint8)[:, None, None, None]).sum(axis=0).astype(np.uint8)
    files = {"readers": bits} if coded else {f"reader_{number}": mask for number, mask in enumerate(masks, start=1)}
    for name, voxels in files.items():
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), root / f"{name}.nii.gz")
    named = ",".join(f"{name}.nii.gz" for name in files)
    (root / "cohort.csv").write_text(f"id,class,ct,{','.join(files)}\nP0,benign,ct0.nii.gz,{named}\n")
    (subject,) = find_cohort(root, problem()).subjects
    raw = load_subject(subject, problem().labels)
    assert np.array_equal(raw.readers, bits)
    assert np.argwhere(raw.labels)[:, 0].tolist() == [2, 3]  # two of three or more
    made = prepare_subject(raw, Recipe(shape=(8, 8, 8)), problem())
    assert made.readers is not None
    assert set(np.unique(made.readers)) == set(np.unique(bits))


def test_a_missing_image_is_refused_or_filled_with_background_and_noted(tmp_path: Path) -> None:
    root = cohort(tmp_path / "data", "id,class,ct,mask,age")
    (root / "cohort.csv").write_text(
        "id,class,ct,pet,mask\nP0,benign,ct0.nii.gz,,mask0.nii.gz\nP1,benign,,,mask1.nii.gz\n"
    )
    both = {"images": {"pet": None, "ct": None}}
    assert len(find_cohort(root, problem(**both)).faults) == 2
    found = find_cohort(root, filled := problem(**both, missing="filled"))
    assert ([one.id for one in found.subjects], [one.subject_id for one in found.faults]) == (["P0"], ["P1"])
    raw = load_subject(found.subjects[0], found.labels, filled)
    assert (raw.images.shape[0], raw.images[0].any(), raw.images[1].any()) == (2, False, True)
    made = prepare_subject(raw, Recipe(shape=(8, 8, 8)), filled)
    assert (made.image_of("pet").max(), made.image_of("ct").max()) == (0, 255)
    assert any("pet is missing" in note for note in made.findings.notes)
