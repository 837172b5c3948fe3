"""Answers about whole patients beside models: classes with probabilities, masks, several readers; counted by hand."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from tests.study.scored import run_to_scores

from gliobench.cohort.problem import NODULES
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Prediction, Question
from gliobench.replay.answers import AnswersFile, read_answers, read_patients
from gliobench.replay.errors import ReplayError
from gliobench.replay.models import PatientAnswers
from gliobench.study.asking.answers import current_answers
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_scores
from gliobench.study.stages.split import split
from gliobench.study.state.context import make_context
from gliobench.study.state.lacking import lacking
from gliobench.tasks.answer import Answered, Malformed, Missing
from gliobench.tasks.geometry import Grade, VolumeMask

SHAPE = (4, 5, 6)
BOTH = frozenset({"grade", "mask"})


def patient(id: str) -> PreparedSubject:
    """On a grid of its scan's own voxels of 1 mm, depth first."""
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
    image = np.ones((1, *SHAPE), np.uint8)
    return PreparedSubject(id, 2, image, None, affine, np.eye(4), (6, 5, 4), False, "", problem=NODULES)


def asked(model: PatientAnswers, id: str, task: str) -> Prediction:
    (prediction,) = model.predict([Question(patient(id), task, None)])
    return prediction


def written(folder: Path, text: str) -> Path:
    path = folder / "patients.csv"
    path.write_text(text)
    return path


def files_of(folder: Path, rows: str, columns: str = "subject,task,answer,reader") -> list[AnswersFile]:
    return read_patients(written(folder, f"{columns}\n{rows}"), NODULES)


def test_a_class_is_read_by_name_number_or_text_and_a_patient_without_a_row_is_missing(tmp_path: Path) -> None:
    rows = "A,class,malignant\nB,grade,1\nC,grade,no nodule\nD,grade,perhaps\nE,grade,\n"
    model = PatientAnswers("reader", BOTH, files_of(tmp_path, rows, "subject,task,answer"))
    found = [asked(model, id, "grade").answer for id in "ABCDEF"]
    assert found[:3] == [Answered(Grade(2)), Answered(Grade(1)), Answered(Grade(3))]
    assert [type(one) for one in found[3:]] == [Malformed, Missing, Missing]
    assert model.remarks == (
        f"1 answers state no class and count as wrong, the first 'perhaps' in {tmp_path}/patients.csv:5",
    )


def test_the_majority_of_readers_and_its_probabilities(tmp_path: Path) -> None:
    rows = "A,grade,malignant,R1\nA,grade,malignant,R2\nA,grade,benign,R3\nB,grade,malignant,R1\nB,grade,benign,R2\n"
    model = PatientAnswers("all", BOTH, files_of(tmp_path, f"{rows}B,grade,,R3\n"))
    first, tied = asked(model, "A", "grade"), asked(model, "B", "grade")
    assert (first.answer, first.probabilities) == (Answered(Grade(2)), pytest.approx((1 / 3, 0, 2 / 3)))
    assert (tied.answer, tied.probabilities) == (Answered(Grade(0)), (0.5, 0, 0.5)), "a tie: the lower class"
    given = files_of(
        tmp_path,
        'A,grade,malignant,R1,"[0.1, 0.1, 0.8]"\nA,grade,benign,R2,"[0.5, 0.3, 0.2]"\n',
        "subject,task,answer,reader,probabilities",
    )
    assert asked(PatientAnswers("all", BOTH, given), "A", "grade").probabilities == pytest.approx((0.3, 0.2, 0.5))


def test_a_mask_is_a_file_beside_the_table_and_a_majority_marks_what_half_of_them_did(tmp_path: Path) -> None:
    for reader, columns in {"R1": 3, "R2": 2, "R3": 1}.items():
        voxels = np.zeros((6, 5, 4), np.uint8)
        voxels[:columns, 2, 1] = 1
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / f"{reader}.nii.gz")
    files = files_of(tmp_path, "".join(f"A,mask,R{n}.nii.gz,R{n}\n" for n in (1, 2, 3)))
    sizes = []
    for readers in ([files[0]], files):
        answer = asked(PatientAnswers("m", BOTH, readers), "A", "mask").answer
        assert isinstance(answer, Answered)
        assert isinstance(answer.value, VolumeMask)
        sizes.append(int(np.asarray(answer.value.voxels)[1, 2].sum()))
    assert sizes == [3, 2]
    one = files_of(tmp_path, "A,mask,R1.nii.gz,R1\n")[0].digest
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "R1.nii.gz")
    assert files_of(tmp_path, "A,mask,R1.nii.gz,R1\n")[0].digest != one, "a changed mask is another answer"


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ("A,centre,x,R1\n", r"csv:2: task 'centre' is asked about slices: of a whole patient grade or mask"),
        ("A,mask,gone.nii.gz,R1\n", r"csv:2: the mask .*gone.nii.gz is not there"),
        ("A,grade,benign,R1\nA,grade,malignant,R1\n", r"csv:3: A, grade is answered in .*csv:2 already"),
        ("A,grade,benign,R1\nB,grade,benign,\n", r"csv:3: nothing in the column `reader`"),
        ("", "no row in it"),
    ],
)
def test_a_table_at_fault_is_refused_with_file_and_line(tmp_path: Path, rows: str, match: str) -> None:
    with pytest.raises(ReplayError, match=match):
        files_of(tmp_path, rows)


def test_slices_and_patients_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"csv:2: it is about a slice: .* `answers:`"):
        files_of(tmp_path, "A,grade,benign,axial,3\n", "subject,task,answer,plane,slice")
    with pytest.raises(ReplayError, match=r"csv:2: no column plane, slice; a table .* `patients:`"):
        read_answers(written(tmp_path, "subject,task,answer\nA,grade,benign\n"), NODULES)


def study_of(folder: Path, more: str = "", first: str = "") -> Study:
    path = folder / "study.yaml"
    path.write_text(
        f"name: s\ngrid: {{shape: [24, 32, 32]}}\nsplit: {{test_share: 0.4, folds: 2, seed: 1}}\ntasks: [grade, mask]\n"
        f"models:\n{first}  - {{kind: replay, name: radiologist, patients: patients.csv{more}}}\n"
        "  - {kind: baseline, name: majority-grade}\n  - {kind: replay, name: gone, masks: none}\n"
    )
    return read_study(path)


def test_each_reader_is_a_model_and_lines_of_the_file_stay_right(tmp_path: Path) -> None:
    written(tmp_path, "subject,task,answer,reader\nA,grade,HGG,Dr. A\nA,grade,LGG,B\n")
    study = study_of(tmp_path)
    assert [one.name for one in study.models] == ["radiologist-Dr.-A", "radiologist-B", "majority-grade", "gone"]
    assert [lack.place for lack in lacking(study, None)] == [f"{tmp_path}/study.yaml:8: models.2.masks"]
    together = study_of(tmp_path, ", readers: majority")
    assert [one.name for one in together.models] == ["radiologist", "majority-grade", "gone"]
    with pytest.raises(StudyError, match="radiologist-B is duplicated"):
        study_of(tmp_path, first="  - {kind: replay, name: radiologist-B, masks: none}\n")
    written(tmp_path, "subject,task,answer\nA,grade,HGG\n")
    found = lacking(study_of(tmp_path, ", readers: majority"), None)
    assert "`readers: majority` needs a column `reader`" in found[0].problem
    with pytest.raises(StudyError, match="leave out view"):
        study_of(tmp_path, ", view: rgb")


def test_a_hospitals_classifier_takes_part_like_any_model(tmp_path: Path, phantom_cohort: Path) -> None:
    written(tmp_path, "subject,task,answer,probability\nnobody,grade,HGG,0.5\n")
    study = study_of(tmp_path)
    study = study.model_copy(update={"models": study.models[:2], "tasks": ("grade",)})
    context = make_context(study, cohort=phantom_cohort, out=tmp_path / "run")
    prepare(context)
    split(context)
    tested = sorted(context.tested)
    right = {id: context.subjects[id].grade for id in tested}
    rows = [f"{id},grade,{('LGG', 'HGG')[right[id] or 0]},{0.8 if right[id] else 0.3}\n" for id in tested[1:]]
    written(tmp_path, f"subject,task,answer,probability\n{''.join(rows)}")
    run_to_scores(context)
    kinds = {record.subject: record.kind for record in current_answers(context, "radiologist")}
    assert kinds == dict.fromkeys(tested, "answered") | {tested[0]: "missing"}
    summary: pd.DataFrame = read_scores(context).summary
    figures = summary[summary["model"] == "radiologist"].set_index("metric")["value"]
    assert figures["accuracy"] == pytest.approx((len(tested) - 1) / len(tested)), "a missing patient counts as wrong"
    assert 0 < figures["auc"] <= 1


@pytest.mark.realdata
def test_readers_of_real_nodules(shared: Path, tmp_path: Path) -> None:
    """The class is that of the median rating (README of the data); the majority of the ratings is mostly that class."""
    table = pd.read_csv(shared / "nodules" / "subjects.csv").query("subset == 'matched'")
    word = {"1": "benign", "2": "benign", "3": "indeterminate", "4": "malignant", "5": "malignant"}
    ratings = dict(zip(table["id"], table["malignancy_ratings"].str.split(";"), strict=True))
    rows = [f"{id},class,{word[one]},R{n}\n" for id, given in ratings.items() for n, one in enumerate(given)]
    files = files_of(tmp_path, "".join(rows))
    assert [one.reader for one in files][:3] == ["R0", "R1", "R2"]
    model = PatientAnswers("all", BOTH, files)
    truths = [Answered(Grade(NODULES.classes.index(name))) for name in table["class"]]
    said = [asked(model, id, "grade").answer for id in table["id"]]
    agree = [one == truth for one, truth in zip(said, truths, strict=True)]
    assert len(agree) == 91
    # Where more than half of the readers rate a patient alike, their median is in that class too.
    counts = [max([word[one] for one in given].count(name) for name in NODULES.classes) for given in ratings.values()]
    clear = [2 * count > len(given) for count, given in zip(counts, ratings.values(), strict=True)]
    assert all(one for one, sure in zip(agree, clear, strict=True) if sure)
    assert 0 < sum(clear) < 91
