"""By patient, in proportion, never overlapping, and not to be changed unnoticed."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.cohort import reference_study
from gliobench.grid.split_file import read_split, write_split
from gliobench.grid.splits import (
    Fold,
    Split,
    SplitError,
    leave_one_out,
    make_cross_validation,
    make_split,
    reference_split,
)
from gliobench.training.balance import balanced_order

cohorts = st.dictionaries(
    st.text("abcdef0123", min_size=1, max_size=6), st.sampled_from([0, 1, 1, 1, None]), min_size=8, max_size=60
)


def own(ids: list[str]) -> dict[str, str]:
    """One scan of each patient."""
    return {id: id for id in ids}


def cohort(lgg: int, hgg: int) -> dict[str, int | None]:
    return {f"L{n:02d}": 0 for n in range(lgg)} | {f"H{n:02d}": 1 for n in range(hgg)}


@given(cohorts, st.floats(0.1, 0.4), st.integers(2, 4), st.integers(0, 5))
def test_every_patient_stands_in_one_place_and_grades_in_proportion(
    grades: dict[str, int | None], share: float, folds: int, seed: int
) -> None:
    split = make_split(grades, {}, test_share=share, folds=folds, seed=seed)
    parts = [split.test, *split.folds]
    assert sorted(id for part in parts for id in part) == sorted(grades)
    assert abs(len(split.test) - share * len(grades)) <= 0.5 + 1e-9 or len(split.test) == 1
    assert max(map(len, split.folds)) - min(map(len, split.folds)) <= 1
    for grade in set(grades.values()):
        total = sum(found == grade for found in grades.values())
        counts = [sum(grades[id] == grade for id in part) for part in parts]
        assert abs(counts[0] - total * len(split.test) / len(grades)) < 1
        assert max(counts[1:]) - min(counts[1:]) <= 1
    shuffled = dict(sorted(grades.items(), reverse=True))
    assert make_split(shuffled, {}, test_share=share, folds=folds, seed=seed) == split


def test_the_two_real_cohorts_sizes() -> None:
    eight = make_split(cohort(4, 4), {}, test_share=0.25, folds=3, seed=0)
    assert Counter(id[0] for id in eight.test) == {"L": 1, "H": 1}
    assert [Counter(id[0] for id in fold) for fold in eight.folds] == [{"L": 1, "H": 1}] * 3
    thirty = make_split(cohort(6, 24), {}, test_share=0.3, folds=5, seed=0)
    assert Counter(id[0] for id in thirty.test) == {"L": 2, "H": 7}  # 1.8 and 7.2
    assert sorted(Counter(id[0] for id in fold)["L"] for fold in thirty.folds) == [0, 1, 1, 1, 1]
    assert make_split(cohort(6, 24), {}, test_share=0.3, folds=5, seed=1) != thirty


def test_a_fold_validates_and_the_others_train() -> None:
    split = make_split(cohort(4, 8), {}, test_share=0.25, folds=3, seed=2)
    for number in range(3):
        fold = split.fold(number)
        assert fold.validation == split.folds[number]
        assert set(fold.train) == {id for other in split.folds for id in other} - set(fold.validation)
        assert fold.test == split.test
    with pytest.raises(SplitError, match=r"fold 3 .* 0 to 2"):
        split.fold(3)


def test_overlap_is_an_error_wherever_a_split_is_built() -> None:
    with pytest.raises(SplitError, match=r"1 patients .* b \(test and fold 1\)"):
        Split(("a", "b"), (("c",), ("b", "d")), None, "by hand")
    with pytest.raises(SplitError, match=r"c \(fold 0 and fold 0\)"):
        Split(("a",), (("c", "c"), ("d",)), None, "by hand")
    with pytest.raises(SplitError, match=r"x \(training and validation\)"):
        Fold(("x",), ("x",), ())


def test_too_few_patients_is_an_error() -> None:
    with pytest.raises(SplitError, match=r"6 patients, 2 .* 4 for 5 folds"):
        make_split(cohort(3, 3), {}, test_share=0.3, folds=5, seed=0)
    with pytest.raises(SplitError, match="fold 1 of 2"):
        Split(("a",), (("b",), ()), None, "by hand")


def test_a_written_split_reads_back_the_same(tmp_path: Path) -> None:
    grades = cohort(6, 24)
    split = make_split(grades, {}, test_share=0.3, folds=5, seed=3)
    write_split(split, tmp_path / "new" / "split.json")
    read = read_split(tmp_path / "new" / "split.json", own(list(grades)))
    assert read == split
    assert read.checksum == split.checksum
    assert list(tmp_path.glob("new/*")) == [tmp_path / "new" / "split.json"]


@pytest.mark.parametrize("key", ["test", "seed", "source", "checksum"])
def test_a_split_that_was_changed_is_not_used(tmp_path: Path, key: str) -> None:
    grades, path = cohort(4, 8), tmp_path / "split.json"
    write_split(make_split(grades, {}, test_share=0.25, folds=3, seed=3), path)
    content = json.loads(path.read_text())
    content[key] = {"test": content["test"][1:], "seed": 4, "source": "me", "checksum": "0" * 64}[key]
    path.write_text(json.dumps(content))
    with pytest.raises(SplitError, match=r"split\.json: .*checksum"):
        read_split(path, own(list(grades)))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"test": 3}', "\x00\xff", '{"test": [], "folds": [[1], 2]}'])
def test_a_file_that_is_no_split_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SplitError, match=r"split\.json"):
        read_split(path, own(["a"]))


def test_patients_that_are_not_there_are_named(tmp_path: Path) -> None:
    write_split(Split(("a",), (("b",), ("c",)), None, "by hand"), tmp_path / "split.json")
    with pytest.raises(SplitError, match=r"2 patients .*\(1 patients\): a, c"):
        read_split(tmp_path / "split.json", own(["b"]))
    with pytest.raises(SplitError, match=r"\.json"):
        read_split(tmp_path / "none.json", own(["b"]))


def study_file(path: Path, folds: list[list[int]]) -> Path:
    """Fold indices as the study wrote them: four images in a row for each patient."""
    count = sum(map(len, folds))
    images = [np.concatenate([np.arange(4 * patient, 4 * patient + 4) for patient in fold]) for fold in folds]
    arrays = {f"val_inds_{k}": found for k, found in enumerate(images)}
    arrays |= {f"train_inds_{k}": np.setdiff1d(np.arange(4 * count), found) for k, found in enumerate(images)}
    np.savez(path, num_folds=len(folds), **arrays)
    return path


def test_positions_in_a_list_that_nobody_has_are_refused(tmp_path: Path) -> None:
    path = study_file(tmp_path / "INDICES.npz", [[0, 3], [1, 2]])
    with pytest.raises(SplitError, match=r"INDICES\.npz: "):
        read_split(path, own(["e", "d", "c", "b", "a", "f"]))


def test_study_folds_that_overlap_are_an_error(tmp_path: Path) -> None:
    twice = study_file(tmp_path / "twice.npz", [[0, 1], [1, 2]])
    with pytest.raises(SplitError, match=r"twice\.npz"):
        read_split(twice, own(["a", "b", "c", "d"]))
    inside = tmp_path / "inside.npz"
    np.savez(inside, num_folds=1, val_inds_0=np.arange(4), train_inds_0=np.arange(8))
    with pytest.raises(SplitError, match=r"inside\.npz"):
        read_split(inside, own(["a"]))
    (tmp_path / "no.npz").write_bytes(b"PK no zip")
    with pytest.raises(SplitError, match=r"no\.npz"):
        read_split(tmp_path / "no.npz", own(["a"]))


@pytest.mark.realdata
def test_the_packaged_patients_are_those_that_were_rebuilt_from_the_studys_notebook(shared: Path) -> None:
    patients = json.loads((shared / "replication" / "patients.json").read_text())
    assert list(reference_study.tested_patients()) == patients["test_in_study_order"]
    assert list(reference_study.train_validation_patients()) == patients["train_validation_in_study_order"]
    rebuilt = json.loads((shared / "replication" / "split.json").read_text())
    assert [sorted(fold) for fold in reference_study.validation_folds()] == [sorted(one) for one in rebuilt["folds"]]
    assert sorted(reference_study.tested_patients()) == sorted(rebuilt["test"])


@pytest.mark.realdata
def test_the_studys_own_positions_are_read_in_its_own_order(shared: Path) -> None:
    path = shared / "replication" / "targets" / "INDICES.npz"
    split = read_split(path, own(BRATS2020))
    assert [set(fold) for fold in split.folds] == [set(fold) for fold in reference_study.validation_folds()]
    assert set(split.test) == set(reference_study.tested_patients())
    with pytest.raises(SplitError, match="365 patients "):
        read_split(path, own([f"{number:03d}" for number in range(365)]))


# BraTS 2020's ids are sorted by grade: 1 to 259 and 336 to 369 are HGG, the 76 between are LGG.
BRATS2020 = [f"BraTS20_Training_{number:03d}" for number in range(1, 370)]
GRADES = {id: int(not 260 <= number <= 335) for number, id in enumerate(BRATS2020, start=1)}


def test_the_reference_studys_split_has_its_sizes_and_its_grades() -> None:
    split = reference_split(own(BRATS2020))
    assert len(split.test) == 55
    assert sum(GRADES[id] for id in split.test) == 44  # HGG; its report and its files of answers say so
    assert [len(fold) for fold in split.folds] == [62] * 5
    low = [62 - sum(GRADES[id] for id in fold) for fold in split.folds]
    assert low == [13] * 5  # of 76 LGG 11 are tested, and the four that it left out are HGG


def test_the_reference_studys_split_of_a_part_of_its_patients_is_what_is_there_of_each_part() -> None:
    some = [fold[0] for fold in reference_study.validation_folds()] + [reference_study.tested_patients()[0], "stranger"]
    split = reference_split(own(some))
    assert [len(fold) for fold in (split.test, *split.folds)] == [1] * 6
    assert "6 of 365" in split.source
    with pytest.raises(SplitError, match="in test"):
        reference_split(own(some[:5]))


def test_a_split_may_be_a_plain_table_or_plain_lists_of_ids(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,part\nx,test\na,fold-0\nb,fold-1\nc,fold-1\n")
    (tmp_path / "a.json").write_text('{"test": ["x"], "folds": [["a"], ["b", "c"]]}')
    for name in ("a.csv", "a.json"):
        split = read_split(tmp_path / name, own(["a", "b", "c", "x", "y"]))
        assert (split.test, split.folds) == (("x",), (("a",), ("b", "c")))
    (tmp_path / "a.csv").write_text("id,part\nx,test\na,fold0\n")
    with pytest.raises(SplitError, match=r"a.csv:3: "):
        read_split(tmp_path / "a.csv", own(["a", "x"]))
    (tmp_path / "a.csv").write_text("id,part\nx,test\nx,fold-0\ny,fold-1\n")
    with pytest.raises(SplitError, match=r"x \(test and fold 0\)"):
        read_split(tmp_path / "a.csv", own(["x", "y"]))


def test_each_grade_is_drawn_as_often_as_the_other() -> None:
    grades = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": None}
    drawn = balanced_order(list(grades), grades, np.random.default_rng(0))
    counts = Counter(drawn)
    assert len(drawn) == 8
    assert counts["h"] == 1
    low = counts["a"] + counts["b"]
    assert low in (3, 4)  # seven draws: the odd one to either
    assert abs(counts["a"] - counts["b"]) <= 1  # a patient comes again only after all of the grade have come
    assert max(counts[id] for id in "cdefg") == 1
    assert balanced_order(list(grades), grades, np.random.default_rng(0)) == drawn
    one_grade = balanced_order(["c", "d", "h"], grades, np.random.default_rng(0))
    assert sorted(one_grade) == ["c", "d", "h"]


def test_cross_validation_tests_everybody_once_and_lets_others_decide() -> None:
    grades = {f"H{number}": 1 for number in range(24)} | {f"L{number}": 0 for number in range(6)}
    split = make_cross_validation(grades, {}, folds=3, validation_share=0.15, seed=0)
    folds = [split.fold(number) for number in range(3)]
    assert sorted(id for fold in folds for id in fold.test) == sorted(grades)
    for fold in folds:  # 30 in 3: 8 HGG and 2 LGG tested; 15 % of the other 20 are 3, one of them LGG
        assert Counter(grades[id] for id in fold.test) == {1: 8, 0: 2}
        assert Counter(grades[id] for id in fold.validation) == {1: 2, 0: 1}
        assert sorted((*fold.train, *fold.validation, *fold.test)) == sorted(grades)
    assert make_cross_validation(dict(reversed(grades.items())), {}, folds=3, validation_share=0.15, seed=0) == split
    with pytest.raises(SplitError, match="folds"):
        make_cross_validation({"a": 0, "b": 1}, {}, folds=2, validation_share=0.15, seed=0)


def test_a_cross_validation_reads_back_the_same(tmp_path: Path) -> None:
    split = make_cross_validation({f"P{n}": n % 2 for n in range(9)}, {}, folds=3, validation_share=0.2, seed=1)
    write_split(split, tmp_path / "split.json")
    assert read_split(tmp_path / "split.json", own([f"P{n}" for n in range(9)])) == split


def test_each_source_is_left_out_once() -> None:
    grades = {"a1": 1, "a2": 0, "b1": 1, "b2": 0, "b2-later": 0, "c1": 1, "c2": 0}
    patients = {id: id.removesuffix("-later") for id in grades}
    sites = {id: {"a": "Oslo", "b": "Rome", "c": "Bonn"}[id[0]] for id in grades}
    split = leave_one_out(grades, patients, sites, validation_share=0.3, seed=1, by="source")
    assert split.folds == (("c1", "c2"), ("a1", "a2"), ("b1", "b2", "b2-later"))
    assert split.source == "leave one source out: fold 0 Bonn, fold 1 Oslo, fold 2 Rome"
    for number in range(3):
        fold = split.fold(number)
        assert sorted(fold.train + fold.validation + fold.test) == sorted(grades)
        assert len({patients[id] for id in fold.validation}) == 1  # 0.3 of 4 patients
        assert not {sites[id] for id in fold.train + fold.validation} & {sites[id] for id in fold.test}


def test_one_source_cannot_be_left_out() -> None:
    grades = {"a": 1, "b": 0, "c": 1}
    with pytest.raises(SplitError, match="by: source: Oslo: at least 2"):
        leave_one_out(grades, own([*grades]), dict.fromkeys(grades, "Oslo"), validation_share=0.3, seed=0, by="source")
    sites = {"a": "Oslo", "b": "Oslo", "c": "Rome"}
    with pytest.raises(SplitError, match="without Oslo fewer than 2 patients"):
        leave_one_out(grades, own([*grades]), sites, validation_share=0.3, seed=0, by="source")
