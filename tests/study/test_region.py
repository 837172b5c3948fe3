"""A study that asks about one region of the tumour, from the study file to the report."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from tests.study.scored import run_to_scores

from gliobench.cohort.phantom import write_phantom
from gliobench.grid.frame import take_slice
from gliobench.models.base.prediction import Question
from gliobench.models.views.asking import prompt_identity
from gliobench.records.value import Arrays
from gliobench.scoring.compare import compare_runs
from gliobench.scoring.errors import CompareError
from gliobench.study.asking.answers import current_answers
from gliobench.study.asking.prompting import make_prompts
from gliobench.study.asking.region import region_notes
from gliobench.study.asking.shots import reference_shots
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.kinds.segmenter import SegmenterConfig
from gliobench.study.run import run_stages
from gliobench.study.showing.export_questions import write_questions
from gliobench.study.showing.report import report
from gliobench.study.state.context import Context, RegionError, make_context
from gliobench.study.state.progress import Silent
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Box
from gliobench.tasks.prompt_file import packaged_prompts
from gliobench.tasks.registry import TASKS
from gliobench.training.finetune.examples import slice_examples
from gliobench.training.nnunet import depth_labels
from gliobench.training.objectives import make_objective
from gliobench.training.settings import TrainSettings

STUDY = """\
name: parts
region: {region}
grid: {{shape: [24, 32, 32]}}
split: {{test_share: 0.4, folds: 2, seed: 1}}
slices: {{every: 2}}
models:
  - {{kind: baseline, name: mean-box}}
  - {{kind: baseline, name: flair-blob}}
  - {{kind: network, name: segmenter, network: mask-segmenter, train: {{epochs: 1}}}}
  - {{kind: vlm, name: asked-untrained, checkpoint: tiny-mllama, tasks: [box], max_new_tokens: 2, shots: 1}}
  - {{kind: segmenter, name: led-untrained, checkpoint: tiny-sam, from: flair-blob}}
"""
NECROSIS = '{label: 1, words: "the necrotic core"}'


@dataclass
class Notebook(Silent):
    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts") / "cohort"
    write_phantom(folder, subjects=8, seed=3, spacing_mm=3)
    return folder


def study_of(folder: Path, region: str, cohort: Path, text: str = STUDY) -> Context:
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(text.format(region=region))
    study = read_study(folder / "study.yaml")
    return make_context(study, cohort=cohort, out=folder / "run", store=cohort.parent / "grid", voice=Notebook())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, cohort: Path) -> Mapping[str, Context]:
    """The same study of the whole tumour, of its core and of one label, on one store."""
    folder = tmp_path_factory.mktemp("runs")
    contexts = {
        name: study_of(folder / name, region, cohort)
        for name, region in (("whole", "whole"), ("core", "core"), ("necrosis", NECROSIS))
    }
    for context in contexts.values():
        run_to_scores(context)
    for name in ("whole", "core"):
        report(contexts[name])
    return contexts


def stored_labels(context: Context, id: str) -> np.ndarray:
    """A patient's labels as they lie in the store, whatever the study asks."""
    prepared = json.loads(context.folder.prepared.read_text())
    (content,) = (entry["content"] for entry in prepared["subjects"] if entry["id"] == id)
    return np.asarray(np.load(context.store / content / "labels.npy"))


def per_subject(context: Context) -> pd.DataFrame:
    return pd.read_parquet(context.folder.scores / "per_subject.parquet")


def test_the_stored_patients_are_the_same_and_the_questions_are_not(runs: Mapping[str, Context]) -> None:
    prepared = {name: json.loads(one.folder.prepared.read_text())["subjects"] for name, one in runs.items()}
    assert prepared["whole"] == prepared["core"] == prepared["necrosis"]
    assert runs["whole"].split.test == runs["core"].split.test
    for model in ("mean-box", "flair-blob", "segmenter", "asked-untrained"):
        keys = {name: {one.key for one in current_answers(context, model)} for name, context in runs.items()}
        assert not keys["whole"] & keys["core"]
        assert not keys["core"] & keys["necrosis"]
    assert runs["whole"].subjects[runs["whole"].tested[0]].content in {entry["content"] for entry in prepared["whole"]}


def test_slices_are_those_from_the_first_to_the_last_with_the_region(runs: Mapping[str, Context]) -> None:
    inside = {"whole": (1, 2, 4), "core": (1, 4), "necrosis": (1,)}
    for name, context in runs.items():
        for id in context.tested:
            found = np.flatnonzero(np.isin(stored_labels(context, id), inside[name]).any(axis=(1, 2)))
            asked = sorted({one.index for one in current_answers(context, "mean-box") if one.subject == id})
            assert asked == list(range(found[0], found[-1] + 1, 2))


def test_the_same_mask_is_scored_against_the_region(runs: Mapping[str, Context]) -> None:
    """flair-blob gives one mask of a patient whatever is asked; its Dice, by numpy, is with the region's labels."""
    inside = {"whole": (1, 2, 4), "core": (1, 4), "necrosis": (1,)}
    masks: dict[str, dict[str, np.ndarray]] = {}
    for name, context in runs.items():
        table = per_subject(context)
        rows = table[(table.model == "flair-blob") & (table.metric == "dice") & (table.source == "mask")]
        rows = rows[(rows.task == "mask") & (rows.plane == "volume")].set_index("subject")["value"]
        for record in current_answers(context, "flair-blob"):
            truth = np.isin(stored_labels(context, record.subject), inside[name])
            mask = Arrays(context.folder.masks).load(record.key, truth.shape)
            masks.setdefault(record.subject, {})[name] = mask
            assert rows[record.subject] == pytest.approx(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    assert all(np.array_equal(one["whole"], one["core"]) for one in masks.values())


def test_the_mean_box_is_that_of_the_training_patients_region(runs: Mapping[str, Context]) -> None:
    context = runs["core"]
    (round,) = context.rounds
    means = []
    for id in round.learn:
        core = np.isin(stored_labels(context, id), (1, 4))
        places = [np.argwhere(one) for one in core if one.any()]
        means.append(np.mean([[*one.min(axis=0), *one.max(axis=0)] for one in places], axis=0))
    value = current_answers(context, "mean-box")[0].value
    assert value is not None
    assert value["box"] == pytest.approx(np.mean(means, axis=0).tolist())


def test_what_models_learn_from_and_are_pointed_to_is_the_region(runs: Mapping[str, Context]) -> None:
    context = runs["core"]
    subject = context.subjects[context.tested[0]]
    core = np.isin(stored_labels(context, subject.id), (1, 4))
    target = make_objective("mask", ("whole",), TrainSettings()).target(subject)
    assert np.array_equal(target.numpy()[0] > 0, core)
    assert np.array_equal(depth_labels(subject, ("whole",)), core.astype(np.uint8))

    def edges(index: int) -> tuple[int, ...]:
        rows, columns = np.nonzero(core[index])
        return int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max())

    for example in slice_examples([subject], ("box",), ("axial",)):
        frame, truth = example.question.frame, example.truth
        assert frame is not None
        assert isinstance(truth, Box)
        assert (truth.row_min, truth.column_min, truth.row_max, truth.column_max) == edges(frame.index)
    largest = int(core.sum(axis=(1, 2)).argmax())
    config = SegmenterConfig.model_validate(
        {"kind": "segmenter", "name": "untrained", "checkpoint": "tiny-sam", "from": "truth"}
    )
    answer = make_prompts(context, config).of(Question(subject, "mask", subject.frame("axial", largest)))
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Box)
    assert (answer.value.row_min, answer.value.column_max) == (edges(largest)[0], edges(largest)[3])
    (round,) = context.rounds
    (shot,) = reference_shots(context, context.study.models[3], round, "axial")["box"]  # type: ignore[arg-type]
    voxels = np.isin(stored_labels(context, shot.question.subject.id), (1, 4))
    assert shot.question.frame is not None
    rows, columns = np.nonzero(take_slice(voxels, "axial", shot.question.frame.index))
    assert isinstance(shot.truth, Box)
    assert (shot.truth.row_min, shot.truth.column_max) == (rows.min(), columns.max())


def test_prompts_name_the_region_and_the_files_to_ask_elsewhere_with_too(
    runs: Mapping[str, Context], tmp_path: Path
) -> None:
    texts = {}
    for name, context in runs.items():
        study = context.study.model_copy(update={"models": (context.study.models[3].model_copy(update={"shots": 0}),)})
        again = make_context(study, cohort=context.cohort, out=context.folder.root, store=context.store)
        write_questions(again, "asked-untrained", tmp_path / name)
        lines = [json.loads(line) for line in (tmp_path / name / "questions.jsonl").read_text().splitlines()]
        (texts[name],) = {line["prompt"] for line in lines}
    assert "holds the whole glioma, oedema included." in texts["whole"]
    assert (
        "holds the core of the glioma (its enhancing, necrotic and other solid parts, without oedema)." in texts["core"]
    )
    assert "holds the necrotic core." in texts["necrosis"]


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "vlm", "name": "m-untrained", "checkpoint": "tiny-mllama", "tasks": ["grade", "box"]},
        {"kind": "openai", "name": "m", "base_url": "http://127.0.0.1:1/v1", "model": "m", "tasks": ["grade", "box"]},
    ],
)
def test_language_models_are_asked_in_the_prompts_of_the_region(
    runs: Mapping[str, Context], entry: dict[str, object]
) -> None:
    for name, context in runs.items():
        content = {"name": "s", "region": context.study.region, "models": [entry]}
        again = replace(context, study=Study.model_validate(content))
        model = again.study.models[0].build(again, context.rounds[0], "axial")
        region = context.study.asked_region
        assert region.key == {"necrosis": "label 1"}.get(name, name)
        assert model.settings["prompt_box"] == prompt_identity(TASKS["box"].prompt_about(region), 40)
        assert model.settings["prompt_grade"] == prompt_identity(TASKS["grade"].prompt, 16)


def test_the_report_says_whose_places_these_are(runs: Mapping[str, Context]) -> None:
    page = (runs["core"].folder.report / "report.html").read_text()
    assert "<h1>parts, tumour core: language model, network or neither?</h1>" in page
    assert "Every centre, box, polygon and mask is of the tumour core alone." in page
    assert (
        "flair-blob, led-untrained: find the whole tumour, and are scored against the tumour core all the same." in page
    )
    assert "about slices that hold tumour core, found by the truth" in page
    markdown = (runs["core"].folder.report / "report.md").read_text()
    assert "flair-blob (trivial baseline, whole tumour)" in markdown
    whole = (runs["whole"].folder.report / "report.html").read_text()
    assert "<h1>parts: language model, network or neither?</h1>" in whole
    assert "tumour core" not in whole


def test_figures_of_different_regions_are_not_compared(runs: Mapping[str, Context]) -> None:
    folders = {name: context.folder.root for name, context in runs.items()}
    assert set(per_subject(runs["core"])["region"]) == {"core"}
    assert "region" not in per_subject(runs["whole"])
    with pytest.raises(CompareError, match=r"different regions \(.*whole/run whole, .*core/run core\)"):
        compare_runs([folders["whole"], folders["core"]])
    assert len(compare_runs([folders["core"]], metrics=["dice"]))


def test_a_network_of_the_whole_tumour_answers_for_no_region(
    runs: Mapping[str, Context], cohort: Path, tmp_path: Path
) -> None:
    weights = runs["whole"].folder.network("segmenter", 0)
    entry = f"{{{{kind: network, name: m, network: mask-segmenter, weights: {weights}}}}}"
    text = STUDY.split("models:")[0] + f"models:\n  - {entry}\n"
    with pytest.raises(StudyError, match=r"another region \(whole\)"):
        run_stages(study_of(tmp_path, "core", cohort, text))
    own = text.replace(str(weights), str(runs["core"].folder.network("segmenter", 0)))
    with pytest.raises(StudyError, match=r"another region \(core\) than this study asks about \(whole\)"):
        run_stages(study_of(tmp_path, "whole", cohort, own))


def test_a_region_that_the_masks_cannot_tell_is_refused_before_anything_is_asked(cohort: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "cohort"
    shutil.copytree(cohort, bare)
    for path in bare.rglob("*_seg.nii.gz"):
        image = nib.load(path)
        nib.save(nib.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine), path)
    context = study_of(tmp_path / "core", "core", bare)
    with pytest.raises(RegionError, match=r"study.yaml:2: region: "):
        run_stages(context)
    assert not (context.folder.root / "answers").exists()
    assert not (context.folder.root / "networks").exists()


def test_a_network_that_tells_the_parts_apart_is_refused_where_masks_mark_the_whole(
    cohort: Path, tmp_path: Path
) -> None:
    table = ["id,flair,t1,t1ce,t2,mask,label_scheme"]
    for folder in sorted(path for path in cohort.iterdir() if path.is_dir()):
        files = ",".join(str(folder / f"{folder.name}_{name}.nii.gz") for name in ("flair", "t1", "t1ce", "t2"))
        image = nib.load(folder / f"{folder.name}_seg.nii.gz")
        mask = tmp_path / f"{folder.name}.nii.gz"
        nib.save(nib.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine), mask)
        table.append(f"{folder.name},{files},{mask},whole-tumour")
    (tmp_path / "scans.csv").write_text("\n".join(table))
    text = STUDY.replace("network: mask-segmenter,", "network: mask-segmenter, regions: brats,")
    context = study_of(tmp_path / "study", "whole", tmp_path / "scans.csv", text)
    with pytest.raises(RegionError, match=r"segmenter: regions: brats .*; those of 8 patients .* leave `regions` out"):
        run_stages(context)


def test_of_held_masks_with_several_labels_nobody_guesses_which_is_the_region(
    runs: Mapping[str, Context], cohort: Path, tmp_path: Path
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for id in runs["core"].tested:
        shutil.copy(next((cohort / id).glob("*_seg.nii.gz")), masks / f"{id}.nii.gz")
    text = STUDY.split("models:")[0] + f"models:\n  - {{{{kind: replay, name: held, masks: {masks}}}}}\n"
    with pytest.raises(Exception, match="the mask has several labels, and the study asks about the tumour core alone"):
        run_stages(study_of(tmp_path / "core", "core", cohort, text))
    for path in masks.iterdir():
        image = nib.load(path)
        core = np.isin(np.asarray(image.dataobj), (1, 4)).astype(np.uint8)
        nib.save(nib.Nifti1Image(core, image.affine), path)
    context = study_of(tmp_path / "core", "core", cohort, text)
    run_to_scores(context)
    table = per_subject(context)
    dice = table[(table.task == "mask") & (table.metric == "dice")]["value"]
    assert (dice > 0.7).all()  # the core itself, its voxels resampled once as a mask and once with oedema around
    assert any("that they are about the tumour core nobody can check" in note for note in region_notes(context.study))


BASELINE = {"kind": "baseline", "name": "empty"}


@pytest.mark.parametrize(
    "region",
    ["necrosis", 1, "1", {"label": 1}, {"words": "dark"}, {"label": 0, "words": "dark"}, {"name": "core", "label": 1}],
)
def test_a_region_that_is_none_is_a_mistake(region: object) -> None:
    with pytest.raises(ValueError, match=r"expected a region's name, or a label|greater than or equal to 1"):
        Study.model_validate({"name": "s", "region": region, "models": [BASELINE]})


def test_of_the_whole_tumour_nothing_is_written_that_was_not_before() -> None:
    for content in ({}, {"region": "whole"}):
        study = Study.model_validate({"name": "s", "models": [BASELINE], **content})
        assert "region" not in study.model_dump()
        assert list(region_notes(study)) == []
    study = Study.model_validate({"name": "s", "models": [BASELINE], "region": "enhancing"})
    assert study.model_dump()["region"]["name"] == "enhancing"


def test_a_network_that_tells_the_parts_apart_is_refused_in_a_study_of_one() -> None:
    network = {"kind": "network", "name": "n", "network": "mask-segmenter", "regions": "brats"}
    Study.model_validate({"name": "s", "models": [network]})
    with pytest.raises(ValueError, match="asks about the tumour core alone: leave `regions` out"):
        Study.model_validate({"name": "s", "region": "core", "models": [network]})


def test_a_prompt_that_names_no_region_is_said_to_name_none() -> None:
    asked = {"kind": "vlm", "name": "m-untrained", "checkpoint": "tiny-mllama", "tasks": ["grade", "box"]}
    study = Study.model_validate({"name": "s", "region": "core", "models": [asked]})
    assert len(list(region_notes(study))) == 1
    path = str(packaged_prompts()["reference-study"])
    study = Study.model_validate({"name": "s", "region": "core", "models": [asked | {"prompts": path}]})
    assert list(region_notes(study))[1].startswith("m-untrained: its prompts for box name no region")
