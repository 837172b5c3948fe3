"""What a study names is looked for before anything starts; odd study files and folders are refused at once."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.study.config.replay import read_replication
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.run import run_stages
from gliobench.study.state.context import StageError, make_context
from gliobench.study.state.lacking import check_external_files, lacking

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = {
    "split: {file: split.json, exclude: [others]}": ("split.file", "split.exclude.0"),
    "models: [{kind: vlm, name: m, checkpoint: ./none, adapter: ./gone, prompts: own.yaml}]": (
        *("models.0.prompts", "models.0.checkpoint", "models.0.adapter"),
    ),
    "models: [{kind: network, name: m, network: mask-segmenter, weights: w, start: s}]": (
        *("models.0.weights", "models.0.start"),
    ),
    "models: [{kind: nnunet, name: m, python: bin/python}]": ("models.0.python",),
    "models: [{kind: replay, name: m, answers: a.csv}]": ("models.0.answers",),
    "models: [{kind: replay, name: m, masks: m}]": ("models.0.masks",),
    "cohort: scans": ("cohort",),
}


@pytest.fixture(scope="module")
def campaign() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "studies_campaign", ROOT / "benchmarks" / "reliability" / "studies.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_one_in_sixty_odd_files_is_refused_at_once(campaign: ModuleType, tmp_path: Path) -> None:
    campaign.prepared(tmp_path)
    found = campaign.campaign(campaign.cases(seed=0)[::60], tmp_path)
    assert len(found) >= 30
    assert [one for one in found if one[2] != "refused"] == []


def test_the_campaign_tells_a_good_file_from_a_refused_one(campaign: ModuleType, tmp_path: Path) -> None:
    campaign.prepared(tmp_path)
    good = campaign.Case("good", lambda at: campaign._study(campaign.BASE.encode(), at))
    assert campaign.attempt(good, "plan", tmp_path)[0] == "accepted"


@pytest.mark.parametrize("line", SENTENCES)
def test_all_that_is_not_there_is_said_with_key_and_line(tmp_path: Path, line: str) -> None:
    models = "" if line.startswith("models") else "models: [{kind: baseline, name: empty}]\n"
    (tmp_path / "own.yaml").unlink(missing_ok=True)
    (tmp_path / "study.yaml").write_text(f"name: own\n{models}{line}\n")
    study = read_study(tmp_path / "study.yaml")
    lacks = lacking(study, study.cohort)
    number = 2 if models == "" else 3
    assert [lack.place for lack in lacks] == [f"{tmp_path}/study.yaml:{number}: {key}" for key in SENTENCES[line]]
    assert all(lack.absent for lack in lacks)


def test_nothing_is_prepared_where_something_is_missing(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "name: own\nmodels: [{kind: baseline, name: empty}]\nsplit: {file: split.json}\n"
    )
    (tmp_path / "scans").mkdir()
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=tmp_path / "scans", out=tmp_path / "run")
    with pytest.raises(StudyError, match=r"study.yaml:3: split.file: .*split.json .* is not there"):
        run_stages(context)
    assert not (tmp_path / "run").exists()


def test_what_several_entries_lack_alike_is_said_once(tmp_path: Path) -> None:
    entries = "".join(f"  - {{kind: vlm, name: m{n}, checkpoint: ./none}}\n" for n in range(3))
    (tmp_path / "study.yaml").write_text(f"name: own\nmodels:\n{entries}")
    (tmp_path / "scans").mkdir()
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=tmp_path / "scans", out=tmp_path / "run")
    with pytest.raises(StudyError) as caught:
        run_stages(context)
    assert str(caught.value).startswith(f"{tmp_path}/study.yaml:3: models.0.checkpoint (and 2 more entries): none ")


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_study_of_the_project_names_what_lies_beside_it(path: Path) -> None:
    assert "../../" not in path.read_text()


def test_raw_answers_lie_where_the_option_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "studies" / "replication.yaml", tmp_path)
    monkeypatch.delenv("GLIOBENCH_REPLICATION", raising=False)
    with pytest.raises(StudyError, match=r"replication.yaml:\d+: replay.0.answers.*GLIOBENCH_REPLICATION"):
        check_external_files(read_replication(tmp_path / "replication.yaml"))
    public = tmp_path / "clone"
    for folder in (
        *("Classification-Task/LLM-All/Raw-LLM-Outputs/General-Raw/flair_image_test_set_axial_llm_run",),
        *("Classification-Task/LLM-All/Raw-LLM-Outputs/General-Raw/flair_image_test_set_coronal_llm_run",),
        *("Classification-Task/LLM-All/Raw-LLM-Outputs/100Steps-Finetune-Raw",),
        *("Segmentation-Task/LLM-All/Raw-LLM-Outputs/CenterPoint-General-Raw",),
        *("Segmentation-Task/LLM-All/Raw-LLM-Outputs/Polygon-General-Raw",),
        *("box/general", "box/finetuned"),
    ):
        (public / folder).mkdir(parents=True)
    monkeypatch.setenv("GLIOBENCH_REPLICATION", str(public))
    study, said = check_external_files(read_replication(tmp_path / "replication.yaml"))
    assert len(study.replay) == 7, "six that are needed, and the optional one that is there"
    assert study.replay[0].answers.name == "flair_image_test_set_axial_llm_run"
    assert study.replay[4].answers == public / "box" / "general"
    assert [sentence.split()[0] for sentence in said] == [
        *("llama-general-sagittal", "llama-finetuned-one-epoch", "llama-finetuned-centre", "llama-finetuned-polygon")
    ]


def test_no_other_variable_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t")
    (tmp_path / "study.yaml").write_text("name: own\nmodels: [{kind: baseline, name: empty}]\ncohort: ${SECRET}/x\n")
    assert read_study(tmp_path / "study.yaml").cohort == tmp_path / "${SECRET}" / "x"


def test_results_do_not_go_among_the_scans_nor_onto_a_file(tmp_path: Path, small_study: Path) -> None:
    study = read_study(small_study)
    (tmp_path / "scans").mkdir()
    (tmp_path / "file").touch()
    for out in (tmp_path / "scans", tmp_path / "scans" / "runs" / "one"):
        with pytest.raises(StageError, match=r"--out .* lies in the cohort's folder"):
            make_context(study, cohort=tmp_path / "scans", out=out)
    for out in (tmp_path / "file", tmp_path / "file" / "one"):
        with pytest.raises(StageError, match=r"--out .*file is no folder"):
            make_context(study, cohort=tmp_path / "scans", out=out)
    with pytest.raises(StageError, match=r"--store .*file is no folder"):
        make_context(study, cohort=tmp_path / "scans", out=tmp_path / "run", store=tmp_path / "file")
    assert make_context(study, cohort=tmp_path / "scans", out=tmp_path / "run").folder.root == tmp_path / "run"


def test_the_option_reaches_the_study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOBENCH_REPLICATION", "")
    nowhere, study = tmp_path / "nowhere", ROOT / "studies" / "replication.yaml"
    result = CliRunner().invoke(app, ["run", str(study), "--replication", str(nowhere), "--out", str(tmp_path / "o")])
    assert isinstance(result.exception, StudyError)
    assert f"{nowhere}/grade/general-axial" in str(result.exception)
