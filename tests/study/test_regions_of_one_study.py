"""A study that asks the same tasks of several regions, from the study file to the report."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from tests.study.scored import run_to_scores

from gliobench.cohort.phantom import write_phantom
from gliobench.models.base.of_regions import MaskOfEachRegion
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.views.asking import prompt_identity
from gliobench.records.record import question_key
from gliobench.records.value import Arrays
from gliobench.report.metrics import tasks_of
from gliobench.report.words import question
from gliobench.study.asking.answers import current_answers
from gliobench.study.asking.region import region_notes
from gliobench.study.config.study import Study, read_study
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.plan.make import make_plan
from gliobench.study.run import run_stages
from gliobench.study.showing.report import report_contents
from gliobench.study.state.context import Context, RegionError, make_context
from gliobench.study.state.progress import Silent
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Box, VolumeMask

HEAD = """\
name: several
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 2}
"""
TASKS = """\
tasks: [grade, box, mask, {box: enhancing}, {box: core}, {mask: enhancing}, {box: {label: 1, words: the necrotic core}}]
"""
PLAIN = "tasks: [grade, box, mask]\n"
MODELS = """\
models:
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: empty}
  - {kind: baseline, name: flair-blob}
  - {kind: network, name: parts, network: mask-segmenter, regions: brats, train: {epochs: 1}}
"""
SPEAKING = """\
models:
  - {kind: vlm, name: asked-untrained, checkpoint: tiny-mllama, max_new_tokens: 2, answer: {box: constrained}}
"""
NECROSIS = "box of necrotic core (label 1)"
INSIDE = {"box": (1, 2, 4), "box of enhancing": (4,), "box of core": (1, 4), NECROSIS: (1,)}


Run = tuple[Context, dict[str, set[str]], pd.DataFrame]


@dataclass
class Notebook(Silent):
    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms; the first, who is tested, has no enhancing tumour: all of its core is necrotic."""
    folder = tmp_path_factory.mktemp("several") / "cohort"
    write_phantom(folder, subjects=8, seed=3, spacing_mm=3)
    path = sorted(folder.rglob("*_seg.nii.gz"))[0]
    image = nib.load(path)
    labels = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(np.where(labels == 4, 1, labels).astype(np.uint8), image.affine), path)
    return folder


def study_of(folder: Path, cohort: Path, tasks: str, models: str = MODELS) -> Context:
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(HEAD + tasks + models)
    study = read_study(folder / "study.yaml")
    return make_context(study, cohort=cohort, out=folder / "run", store=cohort.parent / "grid", voice=Notebook())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cohort: Path) -> Run:
    """The study, first of the whole tumour alone, whose keys and figures are kept, then of regions too."""
    folder = tmp_path_factory.mktemp("run")
    before = study_of(folder, cohort, PLAIN)
    run_to_scores(before)
    keys = {name: {one.key for one in current_answers(before, name)} for name in names(before)}
    figures = per_subject(before)
    context = study_of(folder, cohort, TASKS)
    run_to_scores(context)
    return context, keys, figures


def names(context: Context) -> list[str]:
    return [config.name for config in context.study.models]


def per_subject(context: Context) -> pd.DataFrame:
    return pd.read_parquet(context.folder.scores / "per_subject.parquet")


def stored_labels(context: Context, id: str) -> np.ndarray:
    prepared = json.loads(context.folder.prepared.read_text())
    (content,) = (entry["content"] for entry in prepared["subjects"] if entry["id"] == id)
    return np.asarray(np.load(context.store / content / "labels.npy"))


def test_what_is_asked_of_the_whole_stays_as_it_was(run: Run) -> None:
    context, keys, figures = run
    for name in names(context):
        now = {one.key for one in current_answers(context, name) if " of " not in one.task}
        assert now == keys[name]
    found = per_subject(context)
    plain = found[~found["task"].str.contains(" of ")].reset_index(drop=True)
    order = ["model", "task", "source", "plane", "subject", "metric"]
    pd.testing.assert_frame_equal(
        plain.sort_values(order, ignore_index=True), figures.sort_values(order, ignore_index=True)
    )


def test_boxes_are_scored_against_the_regions_labels(
    run: Run,
) -> None:
    """mean-box of each region, by numpy: learnt from its labels, and the Dice of slices with them."""
    context, _, _ = run
    table = per_subject(context)
    rows = table[(table.model == "mean-box") & (table.metric == "dice") & (table.plane == "axial")]
    (round,) = context.rounds
    for task, inside in INSIDE.items():
        means = []
        for id in round.learn:
            places = [np.argwhere(one) for one in np.isin(stored_labels(context, id), inside) if one.any()]
            if places:
                means.append(np.mean([[*one.min(axis=0), *one.max(axis=0)] for one in places], axis=0))
        edges = np.mean(means, axis=0)
        records = [one for one in current_answers(context, "mean-box") if one.task == task]
        assert records[0].value is not None
        assert records[0].value["box"] == pytest.approx(edges.tolist())
        top, left, bottom, right = np.floor(edges + 0.5).astype(int)
        for id in context.tested:
            dice = []
            for index in [one.index for one in records if one.subject == id]:
                truth = np.isin(stored_labels(context, id)[index], inside)
                true, said = np.zeros_like(truth), np.zeros_like(truth)
                said[top : bottom + 1, left : right + 1] = True
                if truth.any():
                    (r0, c0), (r1, c1) = np.argwhere(truth).min(axis=0), np.argwhere(truth).max(axis=0)
                    true[r0 : r1 + 1, c0 : c1 + 1] = True
                dice.append(2 * (true & said).sum() / (true.sum() + said.sum()))
            own = rows[(rows.task == task) & (rows.subject == id)]["value"]
            assert own.item() == pytest.approx(np.mean(dice))


def test_a_patient_without_the_region_stays_and_nothing_is_right(
    run: Run,
) -> None:
    context, _, _ = run
    lacking = [id for id in context.tested if not (stored_labels(context, id) == 4).any()]
    assert lacking
    table = per_subject(context)
    rows = table[(table.model == "empty") & (table.metric == "dice") & table.subject.isin(lacking)]
    assert rows[(rows.task == "mask of enhancing") & (rows.plane == "volume")]["value"].tolist() == [1.0] * len(lacking)
    assert rows[(rows.task == "mask") & (rows.plane == "volume")]["value"].tolist() == [0.0] * len(lacking)
    boxes = table[(table.model == "mean-box") & (table.metric == "dice") & (table.task == "box of enhancing")]
    assert set(boxes.subject) == set(context.tested)


def test_a_network_that_tells_the_parts_apart_is_asked_once_and_scored_by_region(
    run: Run,
) -> None:
    context, _, _ = run
    arrays, table = Arrays(context.folder.masks), per_subject(context)
    rows = table[(table.model == "parts") & (table.metric == "dice")].set_index(["task", "plane", "subject"])["value"]
    records = {(one.task, one.subject): one for one in current_answers(context, "parts")}
    for id in context.tested:
        truth = stored_labels(context, id) == 4
        mask = arrays.load(records["mask of enhancing", id].key, truth.shape)
        whole, inner = records["mask", id].key, f"{records['mask', id].key}-enhancing"
        assert arrays.load(whole, truth.shape)[mask].all()
        assert np.array_equal(arrays.load(inner, truth.shape), mask)
        both = mask.sum() + truth.sum()
        assert rows["mask of enhancing", "volume", id] == pytest.approx(2 * (mask & truth).sum() / both if both else 1)
        assert ("box of enhancing", "axial", id) in rows.index
        assert ("box of core", "axial", id) not in rows.index


def test_a_language_model_is_asked_in_the_words_of_each_region(run: Run) -> None:
    content = yaml.safe_load(HEAD + TASKS + SPEAKING)
    context = replace(run[0], study=Study.model_validate(content))
    (config,) = context.study.models
    assert isinstance(config, LanguageModelConfig)
    prompts = config.prompts_of(context.study.asked_region)
    assert list(prompts) == ["box of enhancing", "box of core", NECROSIS]
    enhancing = "holds the enhancing part of the glioma (bright on T1 after contrast agent)."
    assert enhancing in prompts["box of enhancing"].text
    assert "holds the necrotic core." in prompts[NECROSIS].text
    assert config.answer == dict.fromkeys(["box", *prompts], "constrained")

    model = config.build(context, context.rounds[0], "axial")
    assert model.tasks >= {"grade", "box", *prompts}
    assert model.settings[f"[{NECROSIS}] prompt"] == prompt_identity(prompts[NECROSIS], None)
    subject = context.subjects[context.tested[0]]
    (found,) = model.predict([Question(subject, "box of core", subject.frame("axial", 12))])
    assert isinstance(found.answer, Answered)
    assert found.answer.value is None or isinstance(found.answer.value, Box)


def test_a_region_more_changes_the_keys_of_no_other_question(run: Run) -> None:
    context = run[0]
    subject = context.subjects[context.tested[0]]
    keys = []
    for tasks in (["box"], ["box", {"box": "core"}], ["box", {"box": "core"}, {"box": "enhancing"}]):
        content = {**yaml.safe_load(HEAD + SPEAKING), "tasks": tasks}
        asked = replace(context, study=Study.model_validate(content))
        model = asked.study.models[0].build(asked, context.rounds[0], "axial")
        frame = subject.frame("axial", 12)
        keys.append([question_key("m", model.settings, Question(subject, task, frame)) for task in asked.study.tasks])
    assert keys[0][0] == keys[1][0] == keys[2][0]
    assert keys[1][1] == keys[2][1]
    assert len({*keys[2]}) == 3


def test_the_report_and_the_plan_say_who_tells_no_region_apart(
    run: Run,
) -> None:
    context, _, _ = run
    line = f"flair-blob: does not tell regions apart, and is not asked for {', '.join([*INSIDE][1:3])}, "
    assert any(sentence.startswith(line) for sentence in region_notes(context.study))
    assert any(sentence.startswith(line) for sentence in make_plan(context).assumptions)
    assert list(dict.fromkeys(tasks_of(per_subject(context))))[:4] == ["centre", "box", "polygon", "mask"]
    assert "box of enhancing" in question(report_contents(context))


def test_a_mask_that_tells_regions_is_made_once_for_all_of_a_patients_questions(run: Run) -> None:
    context = run[0]
    subjects = [context.subjects[id] for id in context.tested]
    part = np.zeros(subjects[0].shape, dtype=bool)
    asked = []

    class Network:
        name, tasks, per_slice, settings = "n", frozenset({"mask"}), False, {"weights": "w"}

        def predict(self, questions: list[Question]):
            for one in questions:
                asked.append((one.subject.id, one.task))
                yield Prediction(one, Answered(VolumeMask(~part, part, part)), seconds=3.0)

    model = MaskOfEachRegion(Network(), {"mask of core": "core", "mask of enhancing": "enhancing"})  # type: ignore[arg-type]
    questions = [
        Question(one, task, None) for one in subjects for task in ("mask", "mask of core", "mask of enhancing")
    ]
    found = list(model.predict(questions))
    assert [one.question for one in found] == questions
    assert asked == [(one.id, "mask") for one in subjects]
    assert [one.answer.value.voxels.any() for one in found[:3]] == [True, False, False]
    assert [one.seconds for one in found[:3]] == [1.0, 1.0, 1.0]


BASELINE = {"kind": "baseline", "name": "empty"}


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({"box": "necrosis"}, "no region is named 'necrosis'; there are whole, core, enhancing, oedema"),
        ({"box": {"label": 9, "words": "cyst"}}, "label 9: the problem glioma has"),
        ({"grade": "core"}, "grade is about the whole patient"),
        ({"box": "core", "mask": "core"}, "expected a task, or one with its region"),
        ({"box": {"label": 1}}, "expected a task, or one with its region"),
        ({"cube": "core"}, "no task is named 'cube'"),
    ],
)
def test_a_region_or_task_that_is_none_is_a_mistake(task: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Study.model_validate({"name": "s", "tasks": ["mask", task], "models": [BASELINE]})


def test_asked_of_the_studys_own_region_a_task_is_the_plain_one() -> None:
    study = Study.model_validate({"name": "s", "tasks": [{"box": "whole"}, {"mask": "core"}], "models": [BASELINE]})
    assert study.tasks == ("box", "mask of core")
    tasks = [{"box": "whole"}, {"mask": "core"}]
    core = Study.model_validate({"name": "s", "region": "core", "tasks": tasks, "models": [BASELINE]})
    assert core.tasks == ("box of whole", "mask")
    with pytest.raises(ValueError, match="tasks: box is duplicated"):
        Study.model_validate({"name": "s", "tasks": ["box", {"box": "whole"}], "models": [BASELINE]})


def test_a_region_that_the_masks_cannot_tell_is_refused_before_anything_is_asked(cohort: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "cohort"
    shutil.copytree(cohort, bare)
    for path in bare.rglob("*_seg.nii.gz"):
        image = nib.load(path)
        nib.save(nib.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine), path)
    context = study_of(tmp_path, bare, TASKS, "models: [{kind: baseline, name: empty}]\n")
    with pytest.raises(RegionError, match=r"study.yaml:5: tasks: box of enhancing: .* the enhancing tumour"):
        run_stages(context)
    assert not (context.folder.root / "answers").exists()


def test_an_entry_is_asked_what_it_names_and_refuses_unknown_regions() -> None:
    entry = {"kind": "openai", "name": "m", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
    content = {"name": "s", "tasks": ["box", {"box": "core"}, {"mask": "core"}]}
    (all_,) = Study.model_validate({**content, "models": [entry]}).models
    assert all_.tasks == ("grade", "centre", "box", "polygon", "box of core")
    (named,) = Study.model_validate({**content, "models": [{**entry, "tasks": ["box"]}]}).models
    assert named.tasks == ("box",)
    (named,) = Study.model_validate({**content, "models": [{**entry, "tasks": [{"mask": "core"}]}]}).models
    assert named.tasks == ("mask of core",)
    with pytest.raises(ValueError, match="no region is named 'cyst'"):
        Study.model_validate({**content, "models": [{**entry, "tasks": [{"mask": "cyst"}]}]})
