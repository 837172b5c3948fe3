"""A study of another problem than gliomas: its file, its views, its prompts and its split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import Split, SplitError
from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import question_text
from gliobench.records.record import question_key
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.kinds.speaking import SpeakingConfig
from gliobench.study.parts.neutral import worded
from gliobench.study.stages.split import split_patients
from gliobench.tasks.registry import task_about

CT = """
name: nodules
problem:
  name: lung nodules
  images: {ct: {words: CT}}
  classes: [benign, malignant]
  target: nodule
  scan: chest CT
  regions: {nodule: [1], calcified: {labels: [2], words: calcified part of the nodule}}
  body: everything
"""
PET = CT.replace("{ct: {words: CT}}", "{ct: {words: CT}, pet: {words: PET}, diffusion: null, t2: null}")
VLM = "models:\n  - {kind: vlm, checkpoint: tiny-mllama, name: untrained-vlm, %s}\n"


def study(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return read_study(path)


def speaking(tmp_path: Path, text: str) -> SpeakingConfig:
    config = study(tmp_path, text).models[0]
    assert isinstance(config, SpeakingConfig)
    return config


def test_a_view_shows_the_problems_images_and_its_words_are_the_problems(tmp_path: Path) -> None:
    assert speaking(tmp_path, CT + VLM % "shots: 0").picture.identity == {"modality": "ct"}
    rgb = speaking(tmp_path, PET + VLM % "view: rgb").picture
    assert rgb.words == "The image is in false colours: red is CT, green is PET, blue is diffusion."
    named = speaking(tmp_path, PET + VLM % "view: {name: rgb, modalities: [pet, pet, ct]}").picture
    assert named.words == "The image is in false colours: red is PET, green is PET, blue is CT."
    assert named.identity["modality"] == "pet pet ct"


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ("view: rgb", r"untrained-vlm: view rgb shows 3 .*got 1"),
        ("view: {modalities: [flair]}", r"untrained-vlm: view.modalities: .*flair; there are ct"),
    ],
)
def test_images_that_the_problem_has_not_are_refused(tmp_path: Path, keys: str, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        study(tmp_path, CT + VLM % keys)


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        ("{kind: segmenter, checkpoint: tiny-sam, name: untrained-sam, from: truth}", "modality", "ct"),
        ("{kind: encoder, checkpoint: tiny-clip, name: untrained-clip}", "channels", ("ct", "ct", "ct")),
    ],
)
def test_models_see_the_problems_images_by_default(tmp_path: Path, kind: str, key: str, expected: object) -> None:
    assert getattr(study(tmp_path, CT + f"models:\n  - {kind}\n").models[0], key) == expected


def test_prompts_speak_of_the_problem(tmp_path: Path) -> None:
    made = study(tmp_path, CT + VLM % "shots: 0")
    texts = {task: prompt.text for task, prompt in made.models[0].prompts_of(made.asked_region).items()}
    asked = "0 for benign nodule, 1 for malignant nodule, 2 for no nodule."
    assert f"This is one slice of a chest CT. Decide what it shows: {asked}" in texts["grade"]
    assert "that holds the nodule." in texts["box"]
    strange = ("glioma", "tumour", "brain", "{region", "{scan", "{classes")
    assert not any(word in text.lower() for text in texts.values() for word in strange)
    part = study(tmp_path, CT + "region: calcified\n" + VLM % "shots: 0")
    assert "that holds the calcified part of the nodule." in part.models[0].prompts_of(part.asked_region)["box"].text
    assert made.tumour_word == "nodule"
    with pytest.raises(StudyError, match=r"'core'; there are whole, nodule, calcified"):
        study(tmp_path, CT + "region: core\n" + VLM % "shots: 0")


def test_without_classes_nothing_is_classified(tmp_path: Path) -> None:
    text = CT.replace("  classes: [benign, malignant]\n", "") + "models:\n  - {kind: baseline, name: empty}\n"
    assert study(tmp_path, text).tasks == ("centre", "box", "polygon", "mask")
    with pytest.raises(StudyError, match=r"grade .*no classes"):
        study(tmp_path, text + "tasks: [grade]\n")


def test_a_problem_is_named_or_written_out(tmp_path: Path) -> None:
    models = "models:\n  - {kind: baseline, name: empty}\n"
    assert (
        study(tmp_path, "name: a\nproblem: glioma\n" + models).problem == study(tmp_path, "name: a\n" + models).problem
    )
    with pytest.raises(StudyError, match=r"study.yaml:2: problem: .*'prostate'; there are glioma, nodules"):
        study(tmp_path, "name: a\nproblem: prostate\n" + models)


@pytest.mark.parametrize(
    "text", ["Choice: 1", "malignant", "The nodule is malignant.", "1", r"\boxed{malignant nodule}"]
)
def test_a_class_is_read_from_a_text_by_number_or_name(tmp_path: Path, text: str) -> None:
    task = task_about(study(tmp_path, CT + VLM % "shots: 0").problem, "grade")
    assert task.parse(text, None, False) == task.parse("Choice: 1", None, False)  # type: ignore[arg-type]
    assert task.exact(task.parse(text, None, False).value) == "malignant"  # type: ignore[arg-type, union-attr]


def test_some_patients_are_trained_on_and_never_tested(tmp_path: Path) -> None:
    text = CT + "split: {scheme: cross-validation, folds: 3, train_only: {subset: [extra, more]}}\n" + VLM % "shots: 0"
    part = study(tmp_path, text).split
    ids = [f"P{number:02d}" for number in range(15)]
    said = {id: {"subset": ("matched", "extra", "more")[number % 3]} for number, id in enumerate(ids)}
    grades, patients = {id: number % 2 for number, id in enumerate(ids)}, {id: id for id in ids}
    made = split_patients(part, grades, patients, said)
    assert set(made.always) == {id for id in ids if said[id]["subset"] != "matched"}
    assert sorted(id for number in range(3) for id in made.fold(number).test) == ids[::3]
    for number in range(3):
        assert set(made.always) <= set(made.fold(number).train)
    assert (
        made.checksum != split_patients(part, {id: grades[id] for id in ids[::3]} | {"P01": 1}, patients, said).checksum
    )
    with pytest.raises(SplitError, match=r"subset: .*nobody; its columns for this are age"):
        split_patients(part, grades, patients, {id: {"age": "4"} for id in ids})
    with pytest.raises(SplitError, match=r"P01 \(training only and fold 1\)"):
        Split((), (("P00",), ("P01",)), None, "", (("P01",), ("P00",)), {}, ("P01",))


def test_matched_patients_stay_in_one_part(tmp_path: Path) -> None:
    text = CT + "split: {scheme: cross-validation, folds: 3, together: pair}\n" + VLM % "shots: 0"
    part = study(tmp_path, text).split
    ids = [f"P{number:02d}" for number in range(18)]
    said = {id: {"pair": f"pair {number // 2}"} for number, id in enumerate(ids)}
    grades, patients = {id: number % 2 for number, id in enumerate(ids)}, {id: id for id in ids}
    made = split_patients(part, grades, patients, said)
    for number in range(3):
        fold = made.fold(number)
        pairs = [{said[id]["pair"] for id in ids} for ids in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, pairs)) == 9
        assert len(fold.test) == 6
    assert made.patients == patients  # intervals are over patients, not over pairs
    with pytest.raises(SplitError, match=r"pair: .*no such column; .*are age"):
        split_patients(part, grades, patients, {id: {"age": "4"} for id in ids})
    with pytest.raises(SplitError, match=r"1 patient \(A\) are of several"):
        split_patients(part, grades, {id: "A" if id < "P03" else id for id in ids}, said)


def test_what_a_table_says_of_a_patient_stands_in_the_prompt_and_in_the_answers_key(tmp_path: Path) -> None:
    view = speaking(tmp_path, CT + VLM % "view: {told: [age, sex]}").picture
    image, labels = np.ones((1, 4, 4, 4), np.uint8), np.ones((4, 4, 4), np.uint8)
    plain = PreparedSubject("P", 0, image, labels, np.eye(4), np.eye(4), (4, 4, 4), False, "c")
    keys = set()
    for variables, stated in (
        ({"age": "63", "sex": "F", "site": "A"}, "About the patient: age 63, sex F.\n"),
        ({"age": "64"}, "About the patient: age 64.\n"),
        ({}, ""),
    ):
        question = Question(replace(plain, variables=variables), "box", plain.frame("axial", 1))
        text = question_text(question, task_about(view.problem, "box").region_prompt, view)
        assert text.startswith(f"{stated}This is one slice")
        keys.add(question_key("model", view.identity, question))
    assert len(keys) == 3
    assert question_key("model", {}, question) == question_key("model", {}, replace(question, subject=plain))


def test_options_named_after_gliomas_have_other_names_that_change_no_fingerprint(tmp_path: Path) -> None:
    text = CT + "tasks: [%s]\ngrid: {preset: %s}\nslices: {select: %s}\n" + VLM % "answer: {%s: choice}, tasks: [%s]"
    text += "  - {kind: encoder, checkpoint: tiny-clip, name: untrained-clip, select: %s}\n"
    kept = ("grade", "brain", "brain", "grade", "grade", "brain")
    said = ("class", "foreground", "foreground", "class", "class", "foreground")
    first, other = (study(tmp_path, text % words).model_dump_json() for words in (kept, said))
    assert first == other
    assert study(tmp_path, CT + "grid: {preset: target}\n" + VLM % "shots: 0").grid.preset == "tumour"


@pytest.mark.parametrize(
    ("key", "value", "asked_again"),
    [
        ("bright", "pet", True),  # features and the bright blob
        ("differences", (("ct", "pet"),), True),
        ("class_words", ("a harmless nodule", "a malignant nodule"), True),
        ("scan", "CT of the chest", True),
        ("target", "lump", True),  # how "no lump" is read
        ("positive", "benign", True),
        ("finding", "lump", False),
        ("cautions", ("Few patients.",), False),
        ("ordered", True, False),
    ],
)
def test_an_answer_is_kept_only_while_what_it_was_asked_about_is_the_same(
    tmp_path: Path, key: str, value: object, asked_again: bool
) -> None:
    before = study(tmp_path, PET + VLM % "shots: 0").problem
    image, labels = np.ones((4, 4, 4, 4), np.uint8), np.ones((4, 4, 4), np.uint8)
    patient = PreparedSubject("P", 0, image, labels, np.eye(4), np.eye(4), (4, 4, 4), False, "c", problem=before)
    after = replace(patient, problem=replace(before, **{key: value}))
    keys = {question_key("model", {}, Question(one, "grade", None)) for one in (patient, after)}
    assert (len(keys) == 2) is asked_again


def test_the_keys_of_answers_about_gliomas_are_those_of_before_there_were_problems() -> None:
    assert GLIOMA.asked_digest == replace(GLIOMA, cautions=()).asked_digest == ""
    assert replace(GLIOMA, bright="t2").asked_digest


def test_options_named_after_gliomas_are_worded_for_every_problem(tmp_path: Path) -> None:
    problem = study(tmp_path, CT + VLM % "shots: 0").problem
    settings = {"slices": {"select": "brain"}, "models": [{"region": "tumour", "name": "brain"}]}
    said = {"slices": {"select": "foreground"}, "models": [{"region": "target", "name": "brain"}]}
    assert worded(settings, problem) == said
    assert worded(settings, GLIOMA) == settings
