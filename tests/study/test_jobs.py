"""A study as jobs: their graph, and the same scores whether they run in one process, in several, on Slurm or on Ray."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.integrity import read_stamp
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.jobs.command import Commands
from gliobench.study.jobs.graph import Job, make_graph
from gliobench.study.jobs.local import run_local
from gliobench.study.jobs.profile import Profile, read_profile
from gliobench.study.jobs.ray import run_on_ray
from gliobench.study.jobs.script import script_of
from gliobench.study.parts.stage import Shard, Stage
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.progress import Silent

HEAD = """\
name: jobs
grid: {shape: [16, 24, 24]}
split: {test_share: 0.6, folds: 2, fold: all, seed: 1}
slices: {every: 6}
tasks: [grade, mask]
models:
"""
LANGUAGE = "  - {kind: vlm, name: untrained, checkpoint: tiny-mllama, tasks: [grade], answer: choice, batch_size: 3}\n"
WAITING = (
    HEAD
    + "  - {kind: network, name: shown, network: grade-classifier, crop: {by: segmenter, shape: [12, 12, 12]}}\n"
    + "  - {kind: network, name: segmenter, network: mask-segmenter, train: {epochs: 1}}\n"
)
SMALL = HEAD + "  - {kind: baseline, name: flair-blob}\n" + LANGUAGE


class Heard(Silent):
    """A voice whose lines are kept."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        self.say = keep  # type: ignore[method-assign]


def context_of(folder: Path, cohort: Path, text: str) -> Context:
    (folder / "s.yaml").write_text(text)
    return make_context(read_study(folder / "s.yaml"), cohort=cohort, out=folder / "run")


def command(folder: Path, verb: str, *options: str) -> Result:
    arguments = [verb, str(folder / "s.yaml"), "--out", str(folder / "run"), *options]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)


def scores(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "run" / "scores").iterdir())}


def test_a_graph_before_anything_is_done(tmp_path: Path, phantom_cohort: Path) -> None:
    jobs = {job.id: job for job in make_graph(context_of(tmp_path, phantom_cohort, SMALL), shards=2)}
    needs = {id: [str(one) for one in job.needs] for id, job in jobs.items()}
    shards = ["predict-untrained@1-of-2", "predict-untrained@2-of-2"]
    assert needs == {
        "prepare": [],
        "split": ["prepare"],
        "predict-flair-blob": ["split"],
        **{shard: ["split"] for shard in shards},
        "predict-untrained": ["split", *shards],
        "score": ["predict-flair-blob", "predict-untrained"],
        "report": ["score"],
    }
    assert not any(job.done for job in jobs.values())
    assert [jobs[id].gpus for id in (*shards, "predict-untrained", "predict-flair-blob")] == [1, 1, 1, 0]
    assert jobs[shards[0]].hours is not None
    assert not (tmp_path / "run").exists()


def test_a_model_that_looks_where_another_found_it_waits_for_its_answers(tmp_path: Path, phantom_cohort: Path) -> None:
    jobs = {job.id: job for job in make_graph(context_of(tmp_path, phantom_cohort, WAITING), shards=2)}
    trained = [f"train-shown-fold-{number}" for number in (0, 1)]
    for id in trained:
        assert [str(one) for one in jobs[id].needs] == ["split", "predict-segmenter"]
    assert [str(one) for one in jobs["predict-shown"].needs] == ["split", *trained, "predict-segmenter"]
    assert list(jobs).index("predict-segmenter") < list(jobs).index(trained[0])


def test_the_command_of_a_job_is_what_a_person_would_type(tmp_path: Path, phantom_cohort: Path) -> None:
    commands = Commands(tmp_path / "s.yaml", context_of(tmp_path, phantom_cohort, SMALL), fold="all", workers=4)
    places = ["--cohort", str(phantom_cohort), "--out", str(tmp_path / "run"), "--store", str(tmp_path / "run/grid")]

    def told(stage: Stage) -> list[str]:
        verb, study, *rest = commands.of(stage)
        assert (verb, study, rest[:6]) == (stage.verb, str(tmp_path / "s.yaml"), places)
        return rest[6:]

    assert told(Stage("prepare")) == ["--workers", "4"]
    assert told(Stage("train", "m", 1)) == ["--model", "m", "--fold", "1"]
    assert told(Stage("predict", "m", shard=Shard(2, 4))) == ["--model", "m", "--shard", "2/4", "--fold", "all"]
    assert told(Stage("score")) == ["--fold", "all"]


def test_a_script_says_what_the_site_wants(tmp_path: Path, phantom_cohort: Path) -> None:
    (tmp_path / "site.yaml").write_text("account: lab\nmodules: [cuda/12]\ncommand: apptainer exec x.sif gliobench\n")
    profile = read_profile(tmp_path / "site.yaml", "gpu", "2:00:00")
    commands = Commands(tmp_path / "s.yaml", context_of(tmp_path, phantom_cohort, SMALL))
    asking = next(job for job in make_graph(commands.context) if job.id == "predict-untrained")
    lines = script_of(asking, commands, profile, 4).splitlines()
    options = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")}
    assert {"--partition=gpu", "--time=2:00:00", "--account=lab", "--requeue", "--gres=gpu:1"} <= options
    assert {"--job-name=predict-untrained", "--cpus-per-task=4", "--signal=B:USR1@60"} <= options
    assert "module load cuda/12" in lines
    assert "export OMP_NUM_THREADS=4" in lines
    assert any(line.startswith("apptainer exec x.sif gliobench predict ") for line in lines)
    assert subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=False).returncode == 0
    without = script_of(asking, commands, Profile(gpus=0), 1)
    assert "--gres" not in without
    (tmp_path / "site.yaml").write_text("acount: lab\n")
    with pytest.raises(StudyError, match=r"site.yaml:1: acount"):
        read_profile(tmp_path / "site.yaml", None, None)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Path:
    """The small study, run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    context_of(folder, phantom_cohort, SMALL)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a job has
    done = command(folder, "run", "--cohort", str(phantom_cohort))
    torch.set_num_threads(threads)
    assert done.exit_code == 0, done.output
    return folder


def again(alone: Path, folder: Path, cohort: Path) -> list[str]:
    """The study as if its language model had not been asked yet; returns the options of its patients."""
    shutil.copy(alone / "s.yaml", folder)
    gone = shutil.ignore_patterns("untrained*", "predict-untrained*", "scores", "score.json", "grid")
    shutil.copytree(alone / "run", folder / "run", ignore=gone)
    return ["--cohort", str(cohort), "--store", str(alone / "run" / "grid")]


def test_workers_change_no_byte_of_the_scores(alone: Path, tmp_path: Path, phantom_cohort: Path) -> None:
    patients = again(alone, tmp_path, phantom_cohort)
    done = command(tmp_path, "run", *patients, "--workers", "2")
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    assert scores(tmp_path) == scores(alone)
    assert "predict-flair-blob" not in done.output, "it is done"
    jobs = json.loads(command(tmp_path, "jobs", *patients, "--workers", "2", "--json").output)
    assert all(job["done"] for job in jobs), [job["id"] for job in jobs if not job["done"]]
    assert [job["shard"] for job in jobs if job["shard"]] == ["1-of-2", "2-of-2"]
    assert read_stamp(tmp_path / "run/stamps/predict-untrained@1-of-2.json") is not None


def test_a_stage_with_nothing_to_do_loads_no_library_of_models(alone: Path, phantom_cohort: Path) -> None:
    arguments = [str(alone / "s.yaml"), "--cohort", str(phantom_cohort), "--out", str(alone / "run")]
    for verb in ("split", "predict"):
        whole = [sys.executable, "-X", "importtime", "-m", "gliobench", verb, *arguments]
        done = subprocess.run(whole, capture_output=True, text=True, check=True)
        loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
        assert "gliobench.study.state.context" in loaded
        assert not loaded & {"torch", "transformers", "monai", "sklearn", "matplotlib"}, verb


def test_a_failed_job_is_named_with_its_log_and_the_others_are_done(tmp_path: Path, phantom_cohort: Path) -> None:
    context = context_of(tmp_path, phantom_cohort, SMALL)
    prepare, split, score = Stage("prepare"), Stage("split"), Stage("score")
    jobs = [Job(prepare, ()), Job(score, ()), Job(Stage("report"), (score,)), Job(split, (prepare,))]
    with pytest.raises(StageError, match=r"^score failed, see .*jobs/score\.log; 1 jobs that need them were not sta"):
        run_local(jobs, Commands(tmp_path / "s.yaml", context), workers=2, cpus=1)
    assert "not every question is answered by flair-blob" in (tmp_path / "run/jobs/score.log").read_text()
    assert (tmp_path / "run/split.json").exists()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Slurm of two nodes on this machine."""
    script = Path(__file__).parents[1] / "cluster" / "slurm.sh"
    if missing := [name for name in ("slurmctld", "slurmd", "munged") if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(missing)} not installed (apt-get install slurmctld slurmd slurm-client munge)")
    if os.geteuid():
        pytest.skip("a Slurm of its own needs root")
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run(["bash", str(script), "up", str(folder)], capture_output=True, text=True, timeout=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        try:
            if started.returncode:
                pytest.skip(f"Slurm does not start here: {started.stderr[-200:]}")
            yield
        finally:
            subprocess.run(["scancel", "--user=root"], check=False)
            subprocess.run(["bash", str(script), "down", str(folder)], check=False)


def test_slurm_gives_the_same_scores(slurm: None, alone: Path, tmp_path: Path, phantom_cohort: Path) -> None:
    patients = again(alone, tmp_path, phantom_cohort)
    (tmp_path / "site.yaml").write_text("gpus: 0\n")
    options = [*patients, "--on", "slurm", "--workers", "2", "--profile", str(tmp_path / "site.yaml"), "--partition"]
    refused = command(tmp_path, "run", *options, "nowhere")
    assert isinstance(refused.exception, StageError)
    assert "predict-untrained@1-of-2: Slurm refuses the job: " in str(refused.exception)
    assert "invalid partition specified: nowhere" in str(refused.exception)
    done = command(tmp_path, "run", *options, "cpu", "--time", "10:00")
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    assert scores(tmp_path) == scores(alone)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """A Ray of a head without processors and two nodes of one each, on addresses of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed (gliobench[ray])")
        settings = {"object_store_memory": 100 * 2**20}
        head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.2", **settings}
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        try:
            for number in (3, 4):
                cluster.add_node(num_cpus=1, node_ip_address=f"127.0.0.{number}", **settings)
            cluster.wait_for_nodes(timeout=60)
            yield cluster
        finally:
            cluster.shutdown()


def test_ray_gives_the_same_scores_though_a_node_is_lost(
    ray_cluster: Any, alone: Path, tmp_path: Path, phantom_cohort: Path
) -> None:
    patients = again(alone, tmp_path, phantom_cohort)
    lost = ray_cluster.add_node(num_cpus=1, node_ip_address="127.0.0.5", object_store_memory=100 * 2**20)
    ray_cluster.wait_for_nodes(timeout=60)
    log = tmp_path / "run/jobs/predict-untrained@3-of-3.log"
    killed = Thread(target=lambda: (_appears(log), ray_cluster.remove_node(lost, allow_graceful=False)))
    killed.start()
    done = command(tmp_path, "run", *patients, "--on", "ray", "--address", ray_cluster.address, "--workers", "3")
    killed.join()
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    assert len(ray_cluster.list_all_nodes()) == 3, "one of them was lost"
    assert scores(tmp_path) == scores(alone)


def _appears(path: Path, patience_s: float = 60.0) -> None:
    for _ in range(round(patience_s / 0.05)):
        if path.exists():
            return
        time.sleep(0.05)


def test_a_job_that_fails_on_ray_is_named_with_its_node_and_the_others_are_done(
    ray_cluster: Any, tmp_path: Path, phantom_cohort: Path
) -> None:
    context = context_of(tmp_path, phantom_cohort, SMALL)
    prepare, split, score = Stage("prepare"), Stage("split"), Stage("score")
    jobs = [Job(prepare, ()), Job(score, ()), Job(Stage("report"), (score,)), Job(split, (prepare,))]
    said: list[str] = []
    heard = replace(context, voice=Heard(said.append))
    with pytest.raises(StageError, match=r"^score failed, see .*jobs/score\.log; 1 jobs that need them were not sta"):
        run_on_ray(jobs, Commands(tmp_path / "s.yaml", heard), ray_cluster.address, workers=2, cpus=1)
    assert any(re.match(r"score failed on \S+ \(127\.0\.0\.[34]\) \(status 2\): .*flair-blob", one) for one in said), (
        said
    )
    assert (tmp_path / "run/split.json").exists()


def test_a_ray_that_is_not_there(alone: Path, tmp_path: Path, phantom_cohort: Path) -> None:
    patients = again(alone, tmp_path, phantom_cohort)
    found = command(tmp_path, "run", *patients, "--on", "ray", "--address", "127.0.0.1:19")
    assert isinstance(found.exception, StageError)
    assert "--on ray --address 127.0.0.1:19: " in str(found.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "1:00:00"], "go with --on slurm"),
        (["--dry-run"], "go with --on slurm"),
        (["--on", "moon"], "moon"),
        (["--address", "x"], "goes with --on ray"),
    ],
)
def test_options_of_one_engine_need_it(tmp_path: Path, phantom_cohort: Path, options: list[str], message: str) -> None:
    context_of(tmp_path, phantom_cohort, SMALL)
    found = command(tmp_path, "run", "--cohort", str(phantom_cohort), *options)
    assert found.exit_code == 2
    assert message in found.output
