"""A study file is read whole or refused with the key and the line of every mistake."""

from pathlib import Path

import pytest

from gliobench.grid.splits import Split
from gliobench.study.config.study import StudyError, read_study, with_fold
from gliobench.study.kinds.network import NetworkConfig
from gliobench.study.kinds.nnunet import NnUNetConfig
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.parts.split import SplitConfig
from gliobench.study.state.folder import fingerprint

GOOD = """\
name: small
slices:
  every: 2
models:
  - kind: baseline
    name: majority-grade
  - kind: network
    name: segmenter
    network: mask-segmenter
    train:
      epochs: 3
  - kind: vlm
    name: untrained
    checkpoint: tiny-mllama
    prompts: own.yaml
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def mistake(tmp_path: Path, text: str) -> str:
    with pytest.raises(StudyError) as caught:
        read_study(write(tmp_path, text))
    return str(caught.value)


def test_a_good_file_is_read_with_defaults_and_paths_beside_it(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, GOOD))
    _, network, language = study.models
    assert isinstance(network, NetworkConfig)
    assert isinstance(language, LanguageModelConfig)
    assert (study.slices.every, study.slices.select, network.train.epochs) == (2, "oracle", 3)
    assert language.temperature == 0.0, "greedy unless the study says otherwise"
    assert language.prompts == tmp_path / "own.yaml"


def test_an_interpreter_lies_where_the_study_says(tmp_path: Path) -> None:
    entry = "name: small\nmodels:\n  - {kind: nnunet, name: own, python: ../nnunet/bin/python}\n"
    (model,) = read_study(write(tmp_path, entry)).models
    assert isinstance(model, NnUNetConfig)
    assert model.python == tmp_path / ".." / "nnunet" / "bin" / "python"
    assert "models.0.epochs" in mistake(tmp_path, entry.replace("name: own", "name: own, epochs: 0"))


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("epochs: 3", "epochs: 0", 11, "models.1.train.epochs"),
        ("every: 2", "evry: 2", 3, "slices.evry: unknown key"),
        ("kind: network", "kind: netwrok", 7, "models.1"),
        ("checkpoint: tiny-mllama", "temperature: hot", 14, "models.2.temperature"),
        ("name: segmenter", "name: ../escape", 8, "models.1.name"),
    ],
)
def test_a_mistake_is_named_with_key_and_line(tmp_path: Path, old: str, new: str, line: int, key: str) -> None:
    message = mistake(tmp_path, GOOD.replace(old, new))
    assert f"study.yaml:{line}: {key}" in message


def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    message = mistake(tmp_path, GOOD.replace("every: 2", "every: 0").replace("epochs: 3", "epochs: x"))
    assert "study.yaml:3: slices.every" in message
    assert "study.yaml:11: models.1.train.epochs" in message


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "untrained is duplicated" in mistake(tmp_path, GOOD.replace("name: segmenter", "name: untrained"))


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    assert "'name' is duplicated" in mistake(tmp_path, GOOD + "name: again\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: majority-grade", "name: majority", "models.0: no baseline is named 'majority'; there are majority-gr"),
        ("network: mask-seg", "network: seg", "models.1: network: no network is named 'segmenter'; there are grade-cl"),
        ("train:", "crop: {around: truth, shape: [8, 8, 8]}\n    train:", "models.1: crop: mask-segmenter answers the"),
        ("prompts: own.yaml", "finetune: {}\ntasks: [mask]", "untrained: finetune learns grade, centre, box, polygon,"),
    ],
)
def test_what_a_run_would_stop_at_hours_later(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in mistake(tmp_path, GOOD.replace(old, new))


def test_a_split_file_has_folds_of_its_own(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, GOOD + "split: {file: split.json, fold: 7}\n"))
    assert with_fold(study, "6").split.fold == 6
    assert "fold 7 of 5" in mistake(tmp_path, GOOD + "split: {fold: 7}\n")
    crossed = Split((), tuple((f"P{n}",) for n in range(4)), 0, "x", (("P1",), ("P2",), ("P3",), ("P0",)))
    held_out = Split(("P4",), crossed.folds, 0, "x")
    config = SplitConfig(file=Path("split.json"))
    assert (config.numbers(crossed), config.numbers(held_out)) == ((0, 1, 2, 3), (0,))


def test_predicted_slices_need_a_known_model(tmp_path: Path) -> None:
    predicted = GOOD.replace("  every: 2", "  select: predicted\n  by: nobody")
    assert "no model is named 'nobody'" in mistake(tmp_path, predicted)
    assert "`by` names the model" in mistake(tmp_path, GOOD.replace("  every: 2", "  select: predicted"))


@pytest.mark.parametrize("text", ["", "- a list", "name: [", "name: x\nmodels: []\n"])
def test_no_study_at_all(tmp_path: Path, text: str) -> None:
    assert mistake(tmp_path, text).startswith(str(tmp_path / "study.yaml"))


def test_a_missing_file_says_where_to_look() -> None:
    with pytest.raises(StudyError, match=r"nowhere\.yaml: no such study file"):
        read_study(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("answer: constrained", dict.fromkeys(("grade", "centre", "box", "polygon"), "constrained")),
        ("answer: {grade: choice, box: constrained}", {"grade": "choice", "box": "constrained"}),
        ("tasks: [grade]\n    answer: choice", {"grade": "choice"}),
    ],
)
def test_how_tasks_are_answered_is_one_word_or_one_a_task(tmp_path: Path, line: str, expected: dict[str, str]) -> None:
    language = read_study(write(tmp_path, f"{GOOD}    {line}\n")).models[2]
    assert isinstance(language, LanguageModelConfig)
    assert dict(language.answer) == expected
    assert language.batch_size == "auto"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("answer: choice", "centre has no such list"),
        ("answer: {box: choice}", "box has no such list; use `constrained`"),
        ("answer: {mask: constrained}", "mask is not among the model's tasks grade, centre, box, polygon"),
        ("answer: {grade: guess}", "models.2.answer.grade: Input should be 'free', 'constrained' or 'choice'"),
        ("answer: guess", "Input should be 'free', 'constrained' or 'choice'"),
        ("quantisation: 2bit", "models.2.quantisation: Input should be '4bit' or '8bit'"),
    ],
)
def test_answers_that_do_not_go_with_their_task(tmp_path: Path, line: str, message: str) -> None:
    assert message in mistake(tmp_path, f"{GOOD}    {line}\n")


def test_entries_made_from_settings_keep_the_fingerprints_of_earlier_runs(tmp_path: Path) -> None:
    """Digests by the version that wrote these entries out key by key."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "name: s\nmodels:\n"
        "  - {kind: network, name: n, network: dynunet, train: {epochs: 3, threshold: 0.4, keep: last, patch: [8, 8, "
        "16], seed: 3}, sweep: [{learning_rate: 0.1}, {mirror: false, intensities: z-score, weight_decay: 0}]}\n"
        "  - {kind: vlm, name: v, checkpoint: a/b, view: {name: rgb, scale: 2, window: [3, 9]}, finetune: {rank: 3, "
        "tasks: [grade], planes: [axial], trim: 2, patients: all, balance_grades: copies}}\n"
    )
    assert [fingerprint(m=config.model_dump()) for config in read_study(path).models] == [
        "a8294676209e3da34bb42bf467340d0de083543548d177baa2e459a777490c5e",
        "4cf5265373b1646468bed7e4b63cc4d76a530e9b0679829eaa87a2f4f1e7b49f",
    ]


def test_prompts_about_gliomas_are_refused_in_a_study_of_another_problem(tmp_path: Path) -> None:
    text = (
        "name: n\nproblem: nodules\nmodels:\n- {kind: vlm, name: m-untrained, checkpoint: tiny-mllama, prompts: "
        "reference-study}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(StudyError, match="reference-study asks about glioma, and this study is about nodules"):
        read_study(tmp_path / "study.yaml")
