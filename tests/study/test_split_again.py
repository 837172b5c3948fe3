"""A split that was made before is compared with the study as it is now."""

import json
from pathlib import Path

import pytest

from gliobench.grid.split_file import read_split, write_split
from gliobench.grid.splits import Split, SplitError
from gliobench.integrity import Stamp, file_digest, listed, write_stamp
from gliobench.study.config.study import read_study, with_fold
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context
from gliobench.study.state.folder import fingerprint

STUDY = (
    "name: own\ngrid: {shape: [8, 12, 12]}\nsplit: {file: SPLIT, fold: 0}\nmodels: [{kind: baseline, name: empty}]\n"
)

ABC = {"a": "a", "b": "b", "c": "c"}  # scans of as many patients


def context(folder: Path, cohort: Path, split_file: str, fold: str = "0") -> Context:
    (folder / "study.yaml").write_text(STUDY.replace("SPLIT", split_file))
    study = with_fold(read_study(folder / "study.yaml"), fold)
    return make_context(study, cohort=cohort, out=folder / "run")


def test_a_split_by_positions_that_lay_on_sorted_ids_is_not_taken_for_done(
    tmp_path: Path, phantom_cohort: Path
) -> None:
    """Earlier versions stamped it with the file's digest alone."""
    (tmp_path / "INDICES.npz").write_bytes(b"positions")
    made = context(tmp_path, phantom_cohort, "INDICES.npz")
    prepare(made)
    grades = {subject.id: subject.grade for subject in made.subjects.values()}
    ids = sorted(grades)
    write_split(Split(tuple(ids[4:]), (tuple(ids[:2]), tuple(ids[2:4])), None, "INDICES.npz"), made.folder.split)
    part = made.study.split
    old = fingerprint(
        grades=grades, split=part.model_dump(exclude={"fold"}), source=file_digest(tmp_path / "INDICES.npz")
    )
    write_stamp(made.folder.stamp(Stage("split")), Stamp(old, 0.1, listed([made.folder.split], made.folder.root)))
    with pytest.raises(SplitError, match="not a file of fold indices"):  # read again, in the study's own order
        split(made)


def test_training_patients_without_a_grade_are_refused_whatever_fold_was_split_before(
    tmp_path: Path, phantom_cohort: Path
) -> None:
    probe = context(tmp_path, phantom_cohort, "none.json")
    prepare(probe)
    grades = {subject.id: subject.grade for subject in probe.subjects.values()}
    low, high = (sorted(id for id in grades if grades[id] == grade) for grade in (0, 1))
    parts = {"test": [low[0], high[0]], "folds": [[high[1]], low[1:] + high[2:3]]}  # fold 1 learns from fold 0: one HGG
    (tmp_path / "plain.json").write_text(json.dumps(parts))
    split(context(tmp_path, phantom_cohort, "plain.json", "0"))
    with pytest.raises(SplitError, match="fold 1: no training patient is LGG"):
        split(context(tmp_path, phantom_cohort, "plain.json", "1"))


def test_a_runs_own_split_must_keep_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    write_split(Split(("a",), (("b",), ("c",)), None, "made"), path)
    content = json.loads(path.read_text())
    del content["checksum"]
    path.write_text(json.dumps(content | {"test": ["c"], "folds": [["b"], ["a"]]}))
    assert read_split(path, ABC).test == ("c",)  # as a person's own file
    with pytest.raises(SplitError, match="checksum"):
        read_split(path, ABC, checksum=True)


@pytest.mark.parametrize(
    ("name", "text"), [("s.json", '{"test": [], "folds": [["a"], ["b"]]}'), ("s.csv", "id,part\na,fold-0\nb,fold-1\n")]
)
def test_a_file_that_tests_nobody_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SplitError, match="no test patients"):
        read_split(tmp_path / name, ABC)
