"""All settings of a sweep beside each other: their figures, who was chosen, who was asked about the test patients."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliobench.integrity import read_json, write_json
from gliobench.models.base.prediction import Question
from gliobench.models.networks.trained import load_network
from gliobench.report.contents import PartFigure, Setting
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.run import run_stages
from gliobench.study.showing.report import report
from gliobench.study.stages.predict import predict
from gliobench.study.stages.sweeps import sweep_settings
from gliobench.study.state.context import Context, StageError, make_context

APPENDIX = Path(__file__).resolve().parents[2] / "studies" / "appendix.yaml"
ONLY_CHOSEN = "It alone was asked about the test patients."
ALL = "All settings tested: choosing among these by the test column is the flaw of the reference study"


def in_small(text: str) -> str:
    """The study file with coarse patients, a split of its own and three epochs at the most."""
    text = text.replace("shape: [95, 128, 128]", "shape: [24, 32, 32]").replace(
        "scheme: reference-study\n  fold: 0", "test_share: 0.4\n  folds: 2\n  fold: 0\n  seed: 1"
    )
    text = text.replace("tasks: [grade, mask]", "tasks: [mask]")
    text = re.sub(r"  - kind: network\n    name: study-classifier.*?(?=  - kind: network)", "", text, flags=re.DOTALL)
    text = re.sub(r"  - .*(majority-grade|classical).*\n", "", text)
    return re.sub(r"epochs: (\d+)", lambda found: f"epochs: {1 + int(found[1]) // 100}", text)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    folder = tmp_path_factory.mktemp("appendix")
    (folder / "appendix.yaml").write_text(in_small(APPENDIX.read_text()))
    context = make_context(read_study(folder / "appendix.yaml"), cohort=phantom_cohort, out=folder / "run")
    run_stages(context)
    return context


def settings_of(context: Context) -> tuple[str, list[Setting]]:
    summary = pd.read_parquet(context.folder.scores / "summary.parquet")
    (found,) = sweep_settings(context, summary)
    return found.words, list(found.tried)


def chosen_only(context: Context) -> Context:
    *others, config = context.study.models
    study = context.study.model_copy(update={"models": (*others, config.model_copy(update={"sweep_test": "chosen"}))})
    return replace(context, study=study)


def test_it_is_the_grid_that_the_appendix_prints() -> None:
    tables = (  # of the study's text: 12, 13, 14, 2; 15, 5, 16, 17
        [(1e-4, 50), (1e-6, 80), (5e-7, 100), (4e-7, 200)],
        [(1e-4, 70), (5e-5, 100), (1e-5, 150), (1e-5, 200)],
    )
    networks = [config for config in read_study(APPENDIX).models if config.kind == "network"]
    assert [[(one.learning_rate, one.epochs) for one in config.sweep] for config in networks] == list(tables)


def test_the_chosen_settings_test_figures_are_those_of_the_scores(small: Context) -> None:
    words, tried = settings_of(small)
    assert ALL in words
    (chosen,) = [one for one in tried if one.chosen]
    metrics = read_json(small.folder.network("study-segmenter", 0) / "sweep.json")["validation_metrics"]
    assert metrics.index(max(metrics)) == int(chosen.name)
    summary = pd.read_parquet(small.folder.scores / "summary.parquet")
    own = summary[(summary["model"] == "study-segmenter") & (summary["task"] == "mask")].set_index("metric")
    assert list(chosen.figures["test"]) == ["dice", "hd95_mm", "precision", "recall", "specificity"]
    for metric, found in chosen.figures["test"].items():
        expected = own.loc[metric, ["value", "low", "high", "n_subjects"]]
        assert (found.value, found.low, found.high, found.n) == pytest.approx(tuple(expected))


def test_every_settings_figures_are_its_own_networks(small: Context) -> None:
    _, tried = settings_of(small)
    fold = small.split.fold(0)
    assert [one.settings["epochs"] for one in tried] == [1, 2, 2, 3]
    assert [one.settings["learning_rate"] for one in tried] == [1e-4, 5e-5, 1e-5, 1e-5]
    for place, one in enumerate(tried):
        network = load_network([small.folder.choice("study-segmenter", 0, place)], "it")
        for config, ids in (("training", fold.train), ("validation", fold.validation), ("test", fold.test)):
            dice = []
            for answer in network.predict_in_sample([Question(small.subjects[id], "mask", None) for id in ids]):
                found, truth = answer.answer.value.voxels, answer.question.subject.tumour  # type: ignore[union-attr]
                dice.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
            assert one.figures[config]["dice"].value == pytest.approx(np.mean(dice))
            assert one.figures[config]["dice"].n == len(ids)


def test_page_and_markdown_have_the_table_and_every_settings_curves(small: Context) -> None:
    page = (small.folder.report / "report.html").read_text()
    assert ALL in page
    assert page.count('<span class="tag mark">chosen</span>') == 1
    text = (small.folder.report / "report.md").read_text()
    (head,) = [line for line in text.splitlines() if line.startswith("| setting |")]
    assert head.startswith("| setting | learning rate | epochs | Dice, training | Dice, validation | Dice, test | HD95")
    row = next(line for line in text.splitlines() if line.startswith("| 2, "))
    assert "| 1e-5 | 2 |" in row
    for said in ("learning rate 0.0001, epochs 1", "learning rate 1e-5, epochs 3"):
        said = said.replace("0.0001", "1e-4")
        assert f"study-segmenter, fold 0, {said}" in page


def test_without_the_key_only_the_chosen_is_asked_about_test_patients(small: Context, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(small.folder.root, out)
    context = chosen_only(make_context(small.study, cohort=small.cohort, out=out))
    run_stages(context)
    words, tried = settings_of(context)
    assert ONLY_CHOSEN in words
    assert ALL not in words
    assert [bool(one.figures.get("test")) for one in tried] == [one.chosen for one in tried]
    assert ALL not in (out / "report" / "report.html").read_text()


def test_damage_and_lost_settings_are_named(small: Context, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(small.folder.root, out)
    context = make_context(small.study, cohort=small.cohort, out=out)
    first = context.folder.choice("study-segmenter", 0, 0)
    whole = read_json(first / "tested.json")
    (first / "tested.json").write_text((first / "tested.json").read_text().replace('"n": 4', '"n": 5'))
    (out / "stamps" / "report.json").unlink()
    with pytest.raises(StageError, match=r"tested\.json .*`gliobench predict`"):
        report(context)
    predict(context)
    assert read_json(first / "tested.json") == whole
    write_json(first / "tested.json", {**whole, "inputs": "others"})
    with pytest.raises(StageError, match=r"tested\.json .*`gliobench predict`"):
        report(context)
    predict(context)
    (first / "figures.json").write_text("{")
    with pytest.raises(StageError, match=r"figures\.json"):
        report(context)
    (first / "figures.json").unlink()
    report(context)
    _, tried = settings_of(context)
    assert set(tried[0].figures) == {"test"}
    shutil.rmtree(first)
    with pytest.raises(StageError, match=r"choice-0 holds no trained network, and `sweep_test: all` asks it"):
        predict(context)


def test_a_folder_that_holds_another_settings_training_gives_no_figures(small: Context, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(small.folder.root, out)
    context = chosen_only(make_context(small.study, cohort=small.cohort, out=out))
    choices = [context.folder.choice("study-segmenter", 0, place) for place in range(2)]
    shutil.rmtree(choices[0])
    shutil.copytree(choices[1], choices[0])
    _, tried = settings_of(context)
    assert "training" not in tried[0].figures
    assert isinstance(tried[1].figures["training"]["dice"], PartFigure)


@pytest.mark.parametrize("sweep", ["", "    sweep: [{epochs: 2}]\n"])
def test_the_key_needs_a_sweep(sweep: str, tmp_path: Path) -> None:
    text = "name: x\nmodels:\n  - kind: network\n    name: n\n    network: mask-segmenter\n    sweep_test: all\n"
    (tmp_path / "x.yaml").write_text(text + sweep)
    with pytest.raises(StudyError, match="sweep_test: all"):
        read_study(tmp_path / "x.yaml")
