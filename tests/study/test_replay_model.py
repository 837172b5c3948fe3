"""Answers from files stand beside models that are asked: the loop closes, and what does not fit is refused early."""

import json
import re
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.study.scored import run_to_scores
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.records.store import RecordStore
from gliobench.replay.answers import read_answers
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import Place
from gliobench.replay.models import SliceAnswers
from gliobench.study.asking.answers import current_answers
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.plan.make import make_plan
from gliobench.study.run import run_stages
from gliobench.study.showing.export import export_masks
from gliobench.study.showing.export_questions import write_questions
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_consistency, read_scores
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.tasks.answer import Missing, Refused

HEAD = """\
name: held
grid: {{shape: [24, 32, 32], preset: {preset}}}
split: {{test_share: 0.4, folds: 2, seed: 1}}
slices: {{every: 5}}
tasks: [grade, centre, box, polygon, mask]
consistency: {{repeats: 3, subjects: 2, task: box}}
models:
  - {{kind: baseline, name: flair-blob}}
"""
ASKED = """\
  - kind: vlm
    name: asked-untrained
    checkpoint: tiny-mllama
    view: {scale: 2}
    tasks: [grade, centre, box]
    answer: {grade: choice, centre: constrained, box: constrained}
    temperature: 2.0
    aggregate: mean-probability
"""
COLUMNS = {"index": "slice", "text": "answer", "score": "probability"}
KEPT = ["subject", "task", "plane", "slice", "repeat", "answer", "probability", "tokens", "finish", "content"]


class Notebook:
    """A voice that remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def bar(self, title: str, total: int):  # type: ignore[no-untyped-def]
        from gliobench.study.state.progress import Silent

        return Silent().bar(title, total)


def study_of(folder: Path, entries: str, preset: str = "brain", cohort: Path | None = None) -> Context:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.yaml"
    path.write_text(HEAD.format(preset=preset) + entries)
    return make_context(read_study(path), cohort=cohort, out=folder / "run", voice=Notebook())


def said(context: Context) -> str:
    assert isinstance(context.voice, Notebook)
    return "\n".join(context.voice.lines)


def of_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model].drop(columns="model").reset_index(drop=True)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    """A study in which a sampling language model was asked, and a segmentation was made."""
    context = study_of(tmp_path_factory.mktemp("asked"), ASKED, cohort=phantom_cohort)
    run_to_scores(context)
    return context


@pytest.fixture(scope="module")
def table(asked: Context) -> pd.DataFrame:
    """Its answers under the names of a table, as somebody would hold them."""
    records = [json.loads(record.to_json()) for record in RecordStore(asked.folder.answers("asked-untrained")).read()]
    rows = pd.DataFrame(records).rename(columns=COLUMNS).assign(rows=64, columns=64)  # 32 x 32 pixels, enlarged twice
    return rows[[*KEPT, "rows", "columns"]]


def entry(answers: Path, more: str = "", tasks: str = "[grade, centre, box]") -> str:
    return f"  - {{kind: replay, name: held, answers: {answers}, view: {{scale: 2}}, tasks: {tasks}{more}}}\n"


def sharing(asked: Context, context: Context) -> Context:
    """The same patients, prepared once."""
    return replace(context, store=asked.store)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "records"])
def test_answers_asked_once_and_replayed_score_the_same(
    tmp_path: Path, phantom_cohort: Path, asked: Context, table: pd.DataFrame, form: str
) -> None:
    path = tmp_path / f"answers.{form}"
    match form:
        case "jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in table.replace({np.nan: None}).to_dict("records")))
        case "csv":
            table.to_csv(path, index=False)
        case "parquet":
            table.to_parquet(path)
        case "records":
            path = asked.folder.answers("asked-untrained")
    external = sharing(
        asked,
        study_of(
            tmp_path, entry(path, ", sampling: drawn elsewhere, aggregate: mean-probability"), cohort=phantom_cohort
        ),
    )
    run_stages(external)
    for name in ("per_subject", "summary", "votes"):
        before = of_model(getattr(read_scores(asked), name), "asked-untrained")
        after = of_model(getattr(read_scores(external), name), "held")
        assert len(before) > 0
        pd.testing.assert_frame_equal(before, after)
    first, second = read_consistency(asked), read_consistency(external)
    assert first is not None
    assert second is not None
    pd.testing.assert_frame_equal(of_model(first.figures, "asked-untrained"), of_model(second.figures, "held"))
    assert "have no answer" not in said(external)
    kinds = [record.kind for record in current_answers(external, "held")]
    assert 0 < kinds.count("answered") <= len(kinds)
    report = (external.folder.report / "report.md").read_text()
    assert f"held: recorded answers from {path.name}, given elsewhere, drawn elsewhere" in report
    assert "recorded answers" in (external.folder.report / "report.html").read_text()


def test_the_same_places_in_a_models_own_convention_score_the_same(
    tmp_path: Path, phantom_cohort: Path, asked: Context, table: pd.DataFrame
) -> None:
    def in_thousandths(text: str) -> str:
        return json.dumps([{"box_2d": [int(number) * 1000 / 64 for number in re.findall(r"\d+", text)]}])

    boxes = table[(table["task"] == "box") & (table["repeat"] == 0)]
    places = boxes["answer"].where(~boxes["answer"].str.contains(r"\d"), boxes["answer"].map(in_thousandths))
    path = tmp_path / "answers.csv"
    boxes.assign(answer=places).to_csv(path, index=False)
    study = (
        f"  - {{kind: replay, name: held, answers: {path}, tasks: [box], view: {{scale: 2, coordinates: gemini}}}}\n"
    )
    external = sharing(asked, study_of(tmp_path, study, cohort=phantom_cohort))
    run_to_scores(external)
    before = of_model(read_scores(asked).per_subject, "asked-untrained").query("source == 'box'")
    after = of_model(read_scores(external).per_subject, "held").query("source == 'box'")
    assert len(before) > 0
    pd.testing.assert_frame_equal(before.reset_index(drop=True), after.reset_index(drop=True))


def rewritten(tmp_path: Path, table: pd.DataFrame) -> Path:
    path = tmp_path / "answers.csv"
    table.to_csv(path, index=False)
    return path


def test_a_question_without_a_row_counts_as_wrong_and_what_is_not_used_is_said(
    tmp_path: Path, phantom_cohort: Path, asked: Context, table: pd.DataFrame
) -> None:
    once = table[table["repeat"] == 0]
    grades = once[once["task"] == "grade"]
    gone = grades.index[:2]
    stranger = grades.iloc[[2]].assign(subject="nobody")
    elsewhere = grades.iloc[[3]].assign(plane="coronal")
    path = rewritten(tmp_path, pd.concat([once.drop(gone), stranger, elsewhere]))
    external = sharing(asked, study_of(tmp_path, entry(path), cohort=phantom_cohort))
    run_to_scores(external)
    subject = grades.iloc[0]["subject"]
    assert f"held: grade: 2 of {len(grades)} questions have no answer and count as wrong ({subject})" in said(external)
    assert "held: 1 answers are about patients who are not tested (nobody)" in said(external)
    assert "held: 1 answers are to questions that this study does not ask" in said(external)
    kinds = [record.kind for record in current_answers(external, "held") if record.task == "grade"]
    assert len(kinds) == len(grades)
    assert kinds[:2] == ["missing", "missing"]
    box = of_model(read_scores(external).summary, "held").query(
        "task == 'box' and metric == 'dice' and plane == 'axial'"
    )
    assert box["n_asked"].item() == (once["task"] == "box").sum()


def test_a_changed_file_is_asked_anew(
    tmp_path: Path, phantom_cohort: Path, asked: Context, table: pd.DataFrame
) -> None:
    grades = table[table["task"] == "grade"].assign(answer="Choice: 0", finish="stop")
    external = sharing(
        asked, study_of(tmp_path, entry(rewritten(tmp_path, grades), tasks="[grade]"), cohort=phantom_cohort)
    )
    run_to_scores(external)
    assert {record.value and record.value["grade"] for record in current_answers(external, "held")} == {0}
    rewritten(tmp_path, grades.assign(answer="Choice: 1", probability=0.75))
    first, config = external.study.models
    models = (first, config.model_copy(update={"aggregate": "mean-probability"}))
    external = replace(external, study=external.study.model_copy(update={"models": models}))
    run_to_scores(external)
    assert {record.value and record.value["grade"] for record in current_answers(external, "held")} == {1}
    auc = of_model(read_scores(external).summary, "held").query("metric == 'auc'")
    assert auc["value"].tolist() == [0.5], "the same probability for everybody orders nobody"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda t: pd.concat([t, t.iloc[[0]]]),
            StudyError,
            r"answers.csv:\d+: .* is answered in .*answers.csv:2 already",
        ),
        (
            lambda t: t.assign(rows=32, columns=32),
            ModelError,
            r"answers.csv:2: .* 32 rows and 32 columns, and has 64 and 64",
        ),
        (
            lambda t: t.assign(content="0" * 64),
            ModelError,
            r"answers.csv:2: the answer is about another image of Phantom",
        ),
        (
            lambda t: t.assign(subject="nobody, not " + t["subject"]),
            StageError,
            "none of the .* answers .* is to a question of this study",
        ),
        (lambda t: t[t["task"] != "box"], StageError, "no answer to any of the .* questions about box"),
        (lambda t: t.drop(columns="plane"), StudyError, "answers.csv:2: no column plane"),
        (lambda t: t.assign(task="diagnosis"), StudyError, "answers.csv:2: task 'diagnosis': expected grade"),
        (lambda t: t.assign(slice=1.5), StudyError, "answers.csv:2: `slice` is a whole number"),
        (lambda t: t.assign(probability=1.5), StudyError, "answers.csv:2: `probability` is that of HGG, from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_learns(
    tmp_path: Path, phantom_cohort: Path, asked: Context, table: pd.DataFrame, change, error, message: str
) -> None:  # type: ignore[no-untyped-def]
    path = rewritten(tmp_path, change(table))
    external = sharing(asked, study_of(tmp_path, entry(path), cohort=phantom_cohort))
    with pytest.raises(error, match=message):
        run_stages(external)
    assert not list(external.folder.root.glob("answers/*")), "nobody was asked"


def test_records_without_text_are_refused(tmp_path: Path, phantom_cohort: Path, asked: Context) -> None:
    path = asked.folder.answers("flair-blob")
    external = sharing(asked, study_of(tmp_path, entry(path), cohort=phantom_cohort))
    with pytest.raises(StudyError, match="flair-blob writes no text that could be read again; masks of a network"):
        run_stages(external)
    assert not external.folder.root.exists(), "a bad file stops a study before the first stage"


def record(key: str, text: str | None, **more: object) -> str:
    """A line of a run's file: about one slice, answered where there is text."""
    fields = {"key": key, "model": "m", "subject": "P1", "task": "grade", "plane": "axial", "index": 3, "repeat": 0}
    fields |= {"kind": "answered", "value": {"grade": 1}, "reason": None, "score": None, "text": text, "tokens": 4}
    return json.dumps({**fields, "finish": "stop", **more}) + "\n"


def test_of_a_runs_file_those_answers_count_that_its_lists_name(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(record("old", "Choice: 0") + record("new", "Choice: 1") + record("again", "Choice: 2", repeat=1))
    with pytest.raises(
        ReplayError, match=r"m.jsonl:2: .* in .*m.jsonl:1 already: .*m.asked.json and m.repeated.json say"
    ):
        read_answers(path)
    (tmp_path / "m.asked.json").write_text('["old"]')
    (tmp_path / "m.repeated.json").write_text('["again"]')
    old = read_answers(path)
    assert [(place.repeat, answer.text) for place, answer in old.answers.items()] == [
        (0, "Choice: 0"),
        (1, "Choice: 2"),
    ]
    (tmp_path / "m.asked.json").write_text('["new"]')
    new = read_answers(path)
    assert new.answers[Place("P1", "grade", "axial", 3)].text == "Choice: 1"
    assert new.digest != old.digest
    (tmp_path / "m.asked.json").write_text("[[1]]")
    with pytest.raises(ReplayError, match=r"m.asked.json: expected the keys of answers"):
        read_answers(path)


def test_the_torn_line_of_a_run_that_was_killed_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(record("one", "Choice: 0") + record("two", "Choice: 1", index=4)[:-9])
    file = read_answers(path)
    assert [place.index for place in file.answers] == [3]
    assert file.remarks == (f"{path}: the last line stops in its middle, as its run did, and is left out",)
    path.write_text(record("one", "Choice: 0")[:-9] + "\n" + record("two", "Choice: 1", index=4))
    with pytest.raises(ReplayError, match=r"m.jsonl:1: not JSON"):
        read_answers(path)
    path.write_text('{"subject": "P1", "task": "grade", "plane": "axial", "slice": 3, "answer": "x"}\n{"subject"')
    with pytest.raises(ReplayError, match=r"m.jsonl:2: not JSON"):
        read_answers(path)


def test_a_refusal_by_a_servers_filter_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    gone = {"value": None, "reason": "the filter", "finish": "content_filter"}
    path.write_text(record("one", "", kind="refused", **gone) + record("two", None, index=4, kind="missing", **gone))
    file = read_answers(path)
    assert [one.answer for one in file.answers.values()] == [Refused("the filter"), Missing("the filter")]
    patient = PreparedSubject(
        "P1", 1, np.zeros((4, 5, 6, 6), np.uint8), None, np.eye(4), np.eye(4), (6, 6, 5), False, ""
    )
    (prediction,) = SliceAnswers("m", frozenset({"grade"}), file).predict(
        [Question(patient, "grade", patient.frame("axial", 3))]
    )
    assert prediction.answer == Refused("the filter")


@pytest.mark.parametrize("column", ["slice", "repeat", "probability", "rows"])
def test_a_number_as_long_as_a_line_is_refused_with_its_line(tmp_path: Path, column: str) -> None:
    row = {"subject": "P1", "task": "grade", "plane": "axial", "slice": 3, "answer": "Choice: 1", column: 10**400}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(ReplayError, match=r"a.jsonl:1: int too large"):
        read_answers(path)


def test_columns_of_bytes_are_text(tmp_path: Path) -> None:
    columns = {"subject": [b"P1"], "task": [b"grade"], "plane": [b"axial"], "slice": [3], "answer": [b"Choice: 1"]}
    path = tmp_path / "a.parquet"
    pd.DataFrame(columns).to_parquet(path)
    assert read_answers(path).answers[Place("P1", "grade", "axial", 3)].text == "Choice: 1"
    pd.DataFrame({**columns, "answer": [b"\xff"]}).to_parquet(path)
    with pytest.raises(ReplayError, match=r"a.parquet:1: a column of bytes that are not UTF-8"):
        read_answers(path)


def dice(context: Context, model: str) -> pd.DataFrame:
    rows = of_model(read_scores(context).per_subject, model)
    return rows[rows["metric"] == "dice"].reset_index(drop=True)


def replayed_masks(tmp_path: Path, cohort: Path, preset: str, shape: str) -> tuple[pd.DataFrame, pd.DataFrame, Context]:
    """Dice of a model's masks, and of the same masks written as NIfTI and replayed in a second study."""
    first = study_of(tmp_path / "first", "", preset, cohort)
    first = with_shape(first, shape)
    run_to_scores(first)
    export_masks(first, tmp_path / "masks")
    entries = f"  - {{kind: replay, name: held, masks: {tmp_path / 'masks' / 'flair-blob'}}}\n"
    second = with_shape(study_of(tmp_path / "second", entries, preset, cohort), shape)
    second = replace(second, store=first.store)
    run_to_scores(second)
    return dice(first, "flair-blob"), dice(second, "held"), second


def with_shape(context: Context, shape: str) -> Context:
    sizes = tuple(int(size) for size in shape.split())
    grid = context.study.grid.model_copy(update={"shape": sizes})
    return replace(context, study=context.study.model_copy(update={"grid": grid, "consistency": None}))


def test_masks_written_and_replayed_have_the_same_dice(tmp_path: Path, phantom_cohort: Path) -> None:
    before, after, _ = replayed_masks(tmp_path, phantom_cohort, "study", "47 64 64")  # the scan's own voxels, 2 mm
    assert set(before["task"]) == {"mask", "polygon", "box"}
    assert before[before["task"] == "mask"]["value"].max() > 0.3
    pd.testing.assert_frame_equal(before, after)


def test_masks_on_a_coarser_grid_come_back_nearly_the_same(tmp_path: Path, phantom_cohort: Path) -> None:
    before, after, _ = replayed_masks(tmp_path, phantom_cohort, "brain", "24 32 32")  # some 6 mm, written at 2 mm
    whole = [table[table["task"] == "mask"]["value"] for table in (before, after)]
    np.testing.assert_allclose(*whole, atol=0.02)


def truths(cohort: Path, folder: Path) -> list[Path]:
    """The patients' own masks under the names that are expected."""
    folder.mkdir()
    paths = []
    for path in sorted(cohort.rglob("*_seg.nii.gz")):
        paths.append(folder / f"{path.parent.name}.nii.gz")
        paths[-1].write_bytes(path.read_bytes())
    return paths


@pytest.mark.parametrize("preset", ["brain", "study", "tumour"])
def test_the_true_masks_are_brought_to_the_grid_as_labels_are(
    tmp_path: Path, phantom_cohort: Path, preset: str
) -> None:
    paths = truths(phantom_cohort, tmp_path / "masks")
    flipped = nib.as_closest_canonical(nib.load(paths[0]))  # the same tumour, stored the other way round
    nib.save(flipped, paths[0])
    external = study_of(
        tmp_path, f"  - {{kind: replay, name: held, masks: {tmp_path / 'masks'}}}\n", preset, phantom_cohort
    )
    external = with_shape(external, "24 32 32")
    run_to_scores(external)
    assert set(dice(external, "held").query("task == 'mask'")["value"]) == {1.0}
    assert "(Phantom" in said(external), "patients who are not tested"


def test_masks_in_other_numbers_and_types_are_the_same_masks(tmp_path: Path, phantom_cohort: Path) -> None:
    paths = {path.name.split(".")[0]: path for path in truths(phantom_cohort, tmp_path / "masks")}
    external = study_of(
        tmp_path, f"  - {{kind: replay, name: held, masks: {tmp_path / 'masks'}}}\n", cohort=phantom_cohort
    )
    external = with_shape(external, "24 32 32")
    run_to_scores(external)
    assert len(external.tested) == 4
    for place, id in enumerate(external.tested):
        path = paths[id]
        image = nib.load(path)
        labels = np.asarray(image.dataobj)
        forms = (
            np.where(labels > 0, 255, 0).astype(np.uint8),
            (labels * 0.999).astype(np.float32),  # a rounding error off
            (labels > 0).astype(np.float64),
            labels[2:-2, 3:],  # other voxels, whose affine is right
        )
        affine = image.affine @ np.array([[1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 1, 0], [0, 0, 0, 1]])
        nib.save(nib.Nifti1Image(forms[place], affine if place == 3 else image.affine), path)
    run_to_scores(external)
    assert set(dice(external, "held").query("task == 'mask'")["value"]) == {1.0}


def test_a_patient_without_a_mask_is_missing(tmp_path: Path, phantom_cohort: Path) -> None:
    paths = truths(phantom_cohort, tmp_path / "masks")
    external = study_of(
        tmp_path, f"  - {{kind: replay, name: held, masks: {tmp_path / 'masks'}}}\n", cohort=phantom_cohort
    )
    external = with_shape(external, "24 32 32")
    run_to_scores(external)
    gone = external.tested[0]
    next(path for path in paths if path.name == f"{gone}.nii.gz").unlink()
    run_to_scores(external)
    assert f"held: mask: 1 of {len(external.tested)} questions have no answer and count as wrong ({gone})" in said(
        external
    )
    found = dice(external, "held").query("task == 'mask'").set_index("subject")["value"]
    assert found[gone] == 0.0
    assert set(found.drop(gone)) == {1.0}


def spoil(path: Path, how: str) -> None:
    image = nib.load(path)
    voxels, affine = np.asarray(image.dataobj), image.affine.copy()
    match how:
        case "broken":
            path.write_bytes(path.read_bytes()[:200])
        case "probabilities":
            nib.save(nib.Nifti1Image((voxels > 0) * np.float32(0.4), affine), path)
        case "map of 0 to 255":
            nib.save(nib.Nifti1Image(np.where(voxels > 0, 60 * voxels, 3).astype(np.uint8), affine), path)
        case "lost header":
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
        case "lost header, other axes":
            nib.save(nib.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4)), path)
        case "lost header, cropped":
            nib.save(nib.Nifti1Image(voxels[1:], np.diag([-1.0, -1, 1, 1])), path)
        case "a hair off":
            affine[0, 3] += 0.01
            nib.save(nib.Nifti1Image(voxels, affine), path)
        case "cropped, elsewhere":
            affine[:3, 3] += 500
            nib.save(nib.Nifti1Image(voxels[1:], affine), path)
        case "cropped, turned":
            angle = np.deg2rad(5)
            turn = np.eye(4)
            turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            nib.save(nib.Nifti1Image(voxels[1:], affine @ turn), path)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("broken", "broken or truncated gzip"),
        ("probabilities", "expected labels"),
        ("map of 0 to 255", "expected the labels 1 to 4, or one value alone, found .* values up to 240"),
        ("lost header", "shape of the patient's scan, .* and another affine, by up to"),
        ("lost header, other axes", "shape of the patient's scan, .* and another affine, by up to"),
        ("lost header, cropped", "its affine .*119, 120, 77"),
        ("a hair off", "another affine, by up to 0.01: if only the header is wrong, give it the scan's"),
        ("cropped, elsewhere", "100% of its tumour"),
        ("cropped, turned", "8.6 voxels"),
    ],
)
def test_a_bad_mask_is_refused_by_name(tmp_path: Path, phantom_cohort: Path, how: str, message: str) -> None:
    for path in truths(phantom_cohort, tmp_path / "masks"):
        spoil(path, how)
    external = study_of(
        tmp_path, f"  - {{kind: replay, name: held, masks: {tmp_path / 'masks'}}}\n", cohort=phantom_cohort
    )
    with pytest.raises(ModelError, match=rf"masks/Phantom\w+.nii.gz: .*{message}") as caught:
        run_stages(with_shape(external, "24 32 32"))
    assert str(caught.value).count("masks/Phantom") == 4, "every test patient, not the first alone"
    assert not list(external.folder.root.glob("answers/*"))


def test_the_plan_counts_held_answers_and_says_what_is_missing(
    tmp_path: Path, phantom_cohort: Path, asked: Context, table: pd.DataFrame
) -> None:
    entries = entry(rewritten(tmp_path, table)) + f"  - {{kind: replay, name: gone, answers: {tmp_path / 'no.csv'}}}\n"
    plan = make_plan(study_of(tmp_path, entries, cohort=phantom_cohort))
    assert {step.model for step in plan.steps if step.stage == "predict"} == {"flair-blob", "held", "gone"}
    assert [one.concerns for one in plan.missing if "no.csv" in one.problem] == [
        f"{tmp_path / 'study.yaml'}:10: models.2.answers"
    ]
    exact = make_plan(
        replace(
            study_of(tmp_path, entry(tmp_path / "answers.csv"), cohort=phantom_cohort),
            folder=asked.folder,
            store=asked.store,
        )
    )
    (step,) = [step for step in exact.steps if step.model == "held"]
    assert step.questions is not None
    assert (step.questions.value, step.questions.basis) == ((table["repeat"] == 0).sum(), "counted")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "give one of `answers` .*`patients` .* `masks`"),
        (", answers: a.csv, masks: m", "give one of `answers` .*`patients` .* `masks`"),
        (", masks: m, view: rgb", "leave out view"),
        (", answers: a.csv, truth: t.csv", "models.0.truth: unknown key"),
    ],
)
def test_an_entry_is_one_of_the_two(tmp_path: Path, keys: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"name: held\nmodels:\n  - {{kind: replay, name: held{keys}}}\n")
    with pytest.raises(StudyError, match=message):
        read_study(path)


def test_questions_written_and_answered_elsewhere_can_be_replayed(
    tmp_path: Path, phantom_cohort: Path, asked: Context
) -> None:
    answers = tmp_path / "answers.jsonl"
    external = sharing(asked, study_of(tmp_path, entry(answers, tasks="[grade, box]"), cohort=phantom_cohort))
    prepare(external)
    split(external)
    command = ["questions", f"{tmp_path / 'study.yaml'}", "--cohort", f"{phantom_cohort}", "--store", f"{asked.store}"]
    command += ["--out", f"{external.folder.root}", "--model", "held", "--to", f"{tmp_path / 'ask'}"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (tmp_path / "ask" / "questions.jsonl").read_text().splitlines()]
    assert len(rows) == len({(row["subject"], row["task"], row["slice"]) for row in rows}) > 0
    assert {row["task"] for row in rows} == {"grade", "box"}
    first = next(row for row in rows if row["task"] == "box")
    image = np.asarray(Image.open(tmp_path / "ask" / first["image"]))
    grey = take_slice(external.subjects[first["subject"]].image[GLIOMA.names.index("flair")], "axial", first["slice"])
    np.testing.assert_array_equal(image[..., 0], np.kron(grey, np.ones((2, 2), np.uint8)))
    assert image.shape[:2] == (first["rows"], first["columns"])
    assert "64" in first["prompt"], "the size as shown"
    said_elsewhere = {"grade": "Choice: 1", "box": "[10, 20, 29, 39]"}  # of 64 x 64 pixels
    answers.write_text("".join(json.dumps({**row, "answer": said_elsewhere[row["task"]]}) + "\n" for row in rows))
    run_to_scores(external)
    records = current_answers(external, "held")
    assert [(one.subject, one.task, one.index) for one in records] == [
        (r["subject"], r["task"], r["slice"]) for r in rows
    ]
    assert {one.kind for one in records} == {"answered"}
    grades = of_model(read_scores(external).votes, "held")
    assert (grades["predicted"] == 1).all()


def test_only_models_that_are_asked_in_words_have_questions(tmp_path: Path, asked: Context) -> None:
    with pytest.raises(StageError, match=r"flair-blob .*asked-untrained"):
        write_questions(asked, "flair-blob", tmp_path)


@pytest.mark.realdata
def test_masks_of_real_patients_come_back_the_same(tmp_path: Path, shared: Path) -> None:
    cohort = tmp_path / "cohort"
    for grade in ("HGG", "LGG"):
        (cohort / grade).mkdir(parents=True)
        for folder in sorted((shared / "cohort_2mm" / grade).iterdir())[:5]:
            (cohort / grade / folder.name).symlink_to(folder)
    before, after, _ = replayed_masks(tmp_path, cohort, "study", "48 64 64")  # the scans' own voxels of 2 mm
    assert before[before["task"] == "mask"]["value"].max() > 0.5
    pd.testing.assert_frame_equal(before, after)
