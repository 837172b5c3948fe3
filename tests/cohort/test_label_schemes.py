"""Children's masks and those after treatment are not read with the meanings of adults', in folders and tables alike."""

from pathlib import Path

import numpy as np
import pytest

from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError
from gliobench.grid.regions import region_mask

from .conftest import MODALITIES, Write

ENDINGS = ("-t2f", "-t1n", "-t1c", "-t2w")


def table(root: Path, ids: dict[str, str], extra: str = "") -> Path:
    """A table of patients of BraTS 2023's folders: id -> folder; `extra` is a value of the column label_scheme."""
    columns = ["id", *MODALITIES, "mask", "label_scheme"]
    rows = [
        [id, *(f"{folder}/{folder}{ending}.nii.gz" for ending in (*ENDINGS, "-seg")), extra]
        for id, folder in ids.items()
    ]
    (root / "table.csv").write_text("\n".join(",".join(row) for row in (columns, *rows)))
    return root / "table.csv"


def labels_of(root: Path) -> np.ndarray:
    cohort = read_cohort(root)
    found = load_subject(cohort.subjects[0], cohort.labels).labels
    assert found is not None
    return found.ravel()[:4]


@pytest.mark.parametrize("as_table", [False, True])
def test_childrens_labels(tmp_path: Path, write_patient: Write, as_table: bool) -> None:
    """1 enhancing, 2 not enhancing, 3 cyst, 4 oedema: Kazerooni 2024, arXiv:2404.15009."""
    id = "BraTS-PED-00001-000"
    write_patient(tmp_path, id, ENDINGS, "-seg", labels=(1, 2, 3, 4))
    labels = labels_of(table(tmp_path, {"P1": id}) if as_table else tmp_path)
    assert region_mask(labels, "whole").tolist() == [True, True, True, True]
    assert region_mask(labels, "core").tolist() == [True, True, True, False]
    assert region_mask(labels, "enhancing").tolist() == [True, False, False, False]


@pytest.mark.parametrize("as_table", [False, True])
def test_labels_after_treatment(tmp_path: Path, write_patient: Write, as_table: bool) -> None:
    """4 is a resection cavity, and no tumour: de Verdier 2024, arXiv:2405.18368."""
    id = "BraTS-GLI-00005-100"
    write_patient(tmp_path, id, ENDINGS, "-seg", labels=(1, 2, 3, 4))
    root = table(tmp_path, {"P1": id}) if as_table else tmp_path
    labels = labels_of(root)
    assert region_mask(labels, "whole").tolist() == [True, True, True, False]
    assert region_mask(labels, "enhancing").tolist() == [False, False, True, False]
    assert any("resection cavity" in note for note in find_cohort(root).notes)


def test_a_cavity_alone_is_no_tumour(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "BraTS-GLI-00005-100", ENDINGS, "-seg", labels=(4, 4))
    with pytest.raises(CohortError, match=r"BraTS-GLI-00005-100: .*label 4"):
        read_cohort(tmp_path)


def test_before_treatment_4_is_no_label(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "BraTS-GLI-00005-000", ENDINGS, "-seg", labels=(1, 2, 3, 4))
    with pytest.raises(CohortError, match=r"labels 4\b.* 0, 1, 2, 3\b"):
        read_cohort(tmp_path)


@pytest.mark.parametrize("labels", [((1, 2, 3, 4), (1, 2)), ((1, 2, 3), (1, 2, 4))])
def test_a_table_with_3_and_4_has_to_say_what_they_mean(
    tmp_path: Path, write_patient: Write, labels: tuple[tuple[int, ...], ...]
) -> None:
    for id, values in zip(("A", "B"), labels, strict=True):
        write_patient(tmp_path, id, ENDINGS, "-seg", labels=values)
    with pytest.raises(CohortError, match="2 invalid patients") as caught:
        read_cohort(table(tmp_path, {"A": "A", "B": "B"}))
    assert {fault.subject_id for fault in caught.value.faults} == {"A", "B"}
    stated = read_cohort(table(tmp_path, {"A": "A", "B": "B"}, "brats-ped"))
    assert len(stated.subjects) == 2
    assert stated.subjects[0].relabel == {1: 3, 2: 1, 3: 1, 4: 2}
    with pytest.raises(CohortError, match=r"A: label_scheme 'brats'.* brats-2012, brats-2018"):
        read_cohort(table(tmp_path, {"A": "A"}, "brats"))


@pytest.mark.parametrize("labels", [(1, 2, 3), (1, 2, 4)])
def test_a_table_of_one_numbering_needs_no_word(tmp_path: Path, write_patient: Write, labels: tuple[int, ...]) -> None:
    write_patient(tmp_path, "A", ENDINGS, "-seg", labels=labels)
    assert labels_of(table(tmp_path, {"A": "A"})).tolist() == [*labels, 0]
