"""Several scans of one patient: on one side of every split, one patient in every figure."""

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from tests.study.scored import run_to_scores

from gliobench.cohort.patients import names_of, patient_of, scans_of
from gliobench.cohort.phantom import write_phantom
from gliobench.grid.splits import Split, SplitError, make_cross_validation, make_split
from gliobench.integrity import Stamp, listed, write_stamp
from gliobench.models.base.errors import ModelError
from gliobench.models.base.leakage import refuse_training_patients
from gliobench.models.base.prediction import Question
from gliobench.scoring.compare import compare_runs
from gliobench.scoring.intervals import AGRESTI_COULL
from gliobench.scoring.score import SubjectRow, SubjectScores
from gliobench.scoring.summary import summarise
from gliobench.study.config.study import read_study
from gliobench.study.parts.stage import Stage
from gliobench.study.showing.report import _strata
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_scores
from gliobench.study.stages.split import split as split_stage
from gliobench.study.state.context import make_context
from gliobench.study.state.folder import fingerprint

ENDINGS = {"flair": "-t2f", "t1": "-t1n", "t1ce": "-t1c", "t2": "-t2w", "seg": "-seg"}
STUDY = """
name: twice
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2}
tasks: [centre, mask]
models:
  - {kind: baseline, name: image-centre}
  - {kind: baseline, name: flair-blob}
"""


def whose(scans: Iterable[str]) -> dict[str, str]:
    return {scan: patient_of(scan) for scan in scans}


def scans(patients: int) -> dict[str, int | None]:
    return {f"BraTS-GLI-{n:05d}-{time:03d}": n % 2 for n in range(patients) for time in range(1 + n % 3)}


def test_all_scans_of_a_patient_lie_in_one_part() -> None:
    grades = scans(30)
    for seed in range(20):
        made = make_split(grades, whose(grades), test_share=0.3, folds=3, seed=seed)
        parts = [{patient_of(id) for id in config} for config in (made.test, *made.folds)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 30
        assert len(parts[0]) == 9  # 0.3 of 30 patients, not of 60 scans
        crossed = make_cross_validation(grades, whose(grades), folds=5, validation_share=0.2, seed=seed)
        for number in range(5):
            fold = crossed.fold(number)
            own = [{patient_of(id) for id in config} for config in (fold.train, fold.validation, fold.test)]
            assert sum(map(len, own)) == len(set.union(*own)) == 30


def test_a_split_that_parts_a_patients_scans_is_refused_by_name() -> None:
    parts = (("BraTS-GLI-00001-001",), ("BraTS-GLI-00002-000",))
    with pytest.raises(SplitError, match=r"BraTS-GLI-00001 \(test and fold 0\)"):
        Split(("BraTS-GLI-00001-000",), parts, None, "made", (), whose(["BraTS-GLI-00001-000", *parts[0]]))


def test_what_was_trained_on_one_scan_is_not_asked_about_another(phantom_cohort: Path, tmp_path: Path) -> None:
    assert scans_of(whose(["sub-1_ses-2", "sub-2_ses-1"]), {"sub-1_ses-1"}) == ["sub-1_ses-2"]
    (tmp_path / "study.yaml").write_text(STUDY)
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=twice(phantom_cohort, tmp_path), out=tmp_path)
    prepare(context)
    subject = next(iter(context.subjects.values()))
    other = f"{patient_of(subject.id)}-009"
    with pytest.raises(ModelError, match=f" 1 .*{subject.id}; leakage"):
        refuse_training_patients("m", {other}, [Question(subject, "mask", None)])


def twice(phantoms: Path, folder: Path) -> Path:
    """The phantoms as two scans of half as many patients, in the layout of BraTS 2023."""
    root = folder / "scans"
    for number, source in enumerate(sorted(path for path in phantoms.iterdir() if path.is_dir())):
        id = f"BraTS-GLI-{number // 2:05d}-{number % 2:03d}"
        (root / id).mkdir(parents=True)
        for name, ending in ENDINGS.items():
            image = nib.load(source / f"{source.name}_{name}.nii.gz")
            voxels = np.asarray(image.dataobj)
            if name == "seg":
                voxels = np.where(voxels == 4, 3, voxels).astype(np.uint8)
            nib.save(nib.Nifti1Image(voxels, image.affine), root / id / f"{id}{ending}.nii.gz")
    return root


def test_a_run_counts_patients_and_means_over_their_scans(phantom_cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    context = make_context(
        read_study(tmp_path / "study.yaml"), cohort=twice(phantom_cohort, tmp_path), out=tmp_path / "run"
    )
    run_to_scores(context)
    tested = {patient_of(id) for id in context.tested}
    assert len(context.tested) == 2 * len(tested)
    scores = read_scores(context)
    assert set(scores.summary.dropna(subset="value")["n_subjects"]) == {len(tested)}
    assert set(scores.per_subject["subject"]) == tested
    hard, _ = _strata(context, scores)
    assert hard is not None
    assert set(hard.loc[hard["group"] == "all", "n"]) == {len(tested)}


def row(subject: str, value: float, model: str = "m") -> SubjectRow:
    return SubjectRow(model, "mask", "mask", "volume", subject, patient_of(subject), None, "dice", value, 1, 1)


def test_a_patient_with_several_scans_weighs_as_much_as_one_with_one() -> None:
    rows = [row("sub-1_ses-1", 0.2), row("sub-1_ses-2", 0.4), row("sub-2_ses-1", 0.9), row("other", 0.6)]
    scores = summarise([SubjectScores((one,), ()) for one in rows])
    (figure,) = scores.summary.to_dict("records")
    assert figure["value"] == pytest.approx((0.3 + 0.9 + 0.6) / 3)
    assert (figure["n_subjects"], figure["n_asked"]) == (3, 4)
    alone = [row("a", 0.6), row("b", 0.3), row("c", 0.9)]  # in the order of the patients' names
    same = summarise([SubjectScores((one,), ()) for one in alone]).summary.to_dict("records")[0]
    assert (figure["low"], figure["high"]) == (same["low"], same["high"])  # as three patients, not four


def test_patients_with_one_scan_each_have_the_figures_that_they_had_under_other_names() -> None:
    draw = random.Random(0)
    values = [draw.random() for _ in range(12)]
    plain = summarise([SubjectScores((row(f"p{n:02d}", value),), ()) for n, value in enumerate(values)]).summary
    named = [SubjectScores((row(f"BraTS-GLI-{n:05d}-000", value),), ()) for n, value in enumerate(values)]
    pd.testing.assert_frame_equal(plain, summarise(named).summary)


def test_a_figure_of_one_scan_alone_stands_under_the_patients_name_too() -> None:
    rows = [row("sub-1_ses-1", 0.2), row("sub-1_ses-2", 0.4), row("sub-1_ses-2", 0.5, "other")]
    graded = [replace(one, grade=grade) for one, grade in zip(rows, (0, 1, 1), strict=True)]
    table = summarise([SubjectScores((one,), ()) for one in graded]).per_subject
    assert dict(zip(table["model"], table["subject"], strict=True)) == {"m": "sub-1", "other": "sub-1"}
    assert list(table["grade"]) == [1, 1]


def test_one_scan_each_is_split_as_by_an_earlier_version_whatever_the_ids() -> None:
    """Ids of patients sort otherwise than those of their scans: sub-10_ses-1 stands before sub-1_ses-1."""
    ids = [f"sub-{n}_ses-1" for n in range(1, 21)]
    places = {f"{place:02d}": id for place, id in enumerate(sorted(ids))}  # ids that name no time, in the same order
    split, plain = (
        make_split(dict.fromkeys(names, 1), whose(names), test_share=0.2, folds=2, seed=0)
        for names in (ids, list(places))
    )
    assert split.test == tuple(places[place] for place in plain.test)


def test_a_split_by_scan_of_an_earlier_version_is_made_again(phantom_cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    study, out = read_study(tmp_path / "study.yaml"), tmp_path / "run"
    context = make_context(study, cohort=twice(phantom_cohort, tmp_path), out=out)
    prepare(context)
    grades = {subject.id: subject.grade for subject in context.subjects.values()}
    first, *others = sorted(grades)
    content = {"test": [first], "folds": [others[::2], others[1::2]], "seed": 0, "source": "by scan", "checksum": ""}
    context.folder.split.write_text(json.dumps(content))
    before = fingerprint(grades=grades, split=study.split.model_dump(exclude={"fold"}), source=None)
    write_stamp(context.folder.stamp(Stage("split")), Stamp(before, 0.0, listed([context.folder.split], out)))
    split_stage(context)
    parts = [{patient_of(id) for id in config} for config in (context.split.test, *context.split.folds)]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_the_column_patient_of_a_table_reaches_split_figures_and_what_was_learnt(
    phantom_cohort: Path, tmp_path: Path
) -> None:
    """Ids that say nothing: only the table knows that scan-0 and scan-1 are one person's, and so on."""
    sources = sorted(path for path in phantom_cohort.iterdir() if path.is_dir())
    lines = ["id,patient,flair,t1,t1ce,t2,mask"]
    for number, source in enumerate(sources):
        names = [f"{source}/{source.name}_{name}.nii.gz" for name in ("flair", "t1", "t1ce", "t2", "seg")]
        lines.append(",".join([f"scan-{number}", f"person {number // 2}", *names]))
    (tmp_path / "scans.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "study.yaml").write_text(STUDY)
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=tmp_path / "scans.csv", out=tmp_path / "run")
    run_to_scores(context)
    assert context.patients == {f"scan-{number}": f"person {number // 2}" for number in range(len(sources))}
    fold = context.split.fold(0)
    parts = [set(fold.whose(ids).values()) for ids in (fold.train, fold.validation, fold.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(sources) // 2
    scores = read_scores(context)
    assert set(scores.summary.dropna(subset="value")["n_subjects"]) == {len(parts[2])}
    assert set(scores.per_subject["patient"]) == parts[2]
    seen, other = sorted(id for id in context.patients if context.patients[id] == context.patients[fold.test[0]])
    learnt = names_of([context.subjects[other]])
    assert learnt == {other, context.patients[other]}
    with pytest.raises(ModelError, match=f" 1 .*{seen}; leakage"):
        refuse_training_patients("m", learnt, [Question(context.subjects[seen], "mask", None)])


def test_a_run_prepared_by_an_earlier_version_goes_by_the_ids(phantom_cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    study, out = read_study(tmp_path / "study.yaml"), tmp_path / "run"
    context = make_context(study, cohort=twice(phantom_cohort, tmp_path), out=out)
    prepare(context)
    left = json.loads(context.folder.prepared.read_text())
    for entry in left["subjects"]:
        assert entry.pop("patient") == patient_of(entry["id"]) != entry["id"]
    left.pop("checksum", None)
    context.folder.prepared.write_text(json.dumps(left))
    assert make_context(study, out=out).patients == whose(context.subjects)


GRADED = """
name: graded
grid: {shape: [16, 24, 24]}
split: {test_share: 0.5, folds: 2}
tasks: [grade, mask]
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: flair-blob}
  - {kind: classical, name: shapes}
"""


def test_phantoms_with_time_points_are_graded_by_patient_and_compared_with_one_scan_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gliobench.models.classical.grade.TREES", 20)
    (tmp_path / "study.yaml").write_text(GRADED)
    runs = []
    for timepoints in (1, 2):
        cohort = tmp_path / f"phantoms-{timepoints}"
        write_phantom(cohort, subjects=16, seed=0, spacing_mm=4, timepoints=timepoints)
        context = make_context(read_study(tmp_path / "study.yaml"), cohort=cohort, out=tmp_path / f"run-{timepoints}")
        run_to_scores(context)
        runs.append(context)
    one, two = runs
    assert set(two.tested) == {f"{id}-{time:03d}" for id in one.tested for time in (0, 1)}  # the same patients
    grades = read_scores(two).summary.query("task == 'grade'")
    assert set(grades["n_subjects"]) == {8}
    assert not grades["interval"].str.startswith(AGRESTI_COULL).any()
    table = compare_runs([run.folder.root for run in runs])
    assert set(table["n_subjects"]) == {8}
    assert set(table["left_out"]) == {""}
    assert table["words"].str.contains("8 of 8 patients").all()
