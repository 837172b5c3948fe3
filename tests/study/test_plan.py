"""A plan against the run that it foresaw, against hand calculation, and against what is not there."""

import json
import math
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.phantom import write_phantom
from gliobench.models.base.errors import ModelError
from gliobench.models.tiny import write_tiny_mllama
from gliobench.records.record import Record
from gliobench.records.store import RecordStore
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.kinds.openai import ServerConfig
from gliobench.study.parts.split import SplitConfig
from gliobench.study.plan.counts import NO_COHORT
from gliobench.study.plan.estimates import Estimate, Plan, Step
from gliobench.study.plan.families import family_of, named_parameters, weights_of
from gliobench.study.plan.make import make_plan
from gliobench.study.plan.networks import network_size
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.stages.train import train
from gliobench.study.state.context import Context, make_context
from gliobench.tasks.prompt import own_prompt

LANGUAGE = "tiny-mllama-untrained"


def step(plan: Plan, model: str, stage: str = "predict") -> Step:
    (found,) = (one for one in plan.steps if (one.stage, one.model) == (stage, model))
    return found


def problems(plan: Plan) -> str:
    return "\n".join(f"{one.concerns}: {one.problem}" for one in plan.missing)


@pytest.fixture(scope="module")
def after(finished_run: Path, small_study: Path, phantom_cohort: Path) -> tuple[Context, Plan]:
    """The plan of a study that has been run."""
    context = make_context(read_study(small_study), cohort=phantom_cohort, out=finished_run)
    return context, make_plan(context)


def records(context: Context, model: str) -> list[Record]:
    return list(RecordStore(context.folder.answers(model)).read())


def test_questions_are_the_records_that_a_run_wrote(after: tuple[Context, Plan]) -> None:
    context, plan = after
    for config in context.study.models:
        questions = step(plan, config.name).questions
        assert questions is not None
        assert (config.name, questions.value, questions.basis) == (
            config.name,
            len(records(context, config.name)),
            "counted",
        )
    images = step(plan, LANGUAGE).images
    assert images is not None
    assert images.value == len({(one.subject, one.plane, one.index) for one in records(context, LANGUAGE)})


def test_the_same_before_anything_was_asked(
    after: tuple[Context, Plan], tmp_path: Path, small_study: Path, phantom_cohort: Path
) -> None:
    """Patients are prepared, nothing is split: the split is made in memory, and nothing is written."""
    context, plan = after
    (tmp_path / "prepared.json").write_text(context.folder.prepared.read_text())
    early = make_context(read_study(small_study), cohort=phantom_cohort, out=tmp_path, store=context.store)
    before = make_plan(early)
    for config in context.study.models:
        assert step(before, config.name).questions == step(plan, config.name).questions
    assert [path.name for path in tmp_path.iterdir()] == ["prepared.json"]
    assert not before.missing


def test_tokens_are_those_of_the_checkpoints_own_processor(after: tuple[Context, Plan]) -> None:
    context, plan = after
    asked = records(context, LANGUAGE)
    found = step(plan, LANGUAGE)
    assert found.text_tokens_in is not None
    assert found.tokens_out is not None
    # What the template puts around a prompt is the same for every question.
    tokenizer = AutoTokenizer.from_pretrained(context.folder.root / "checkpoints" / "tiny-mllama")
    frame = context.subjects[asked[0].subject].frame("axial", 0)
    words = {task: own_prompt(task).about(frame) for task in ("grade", "centre", "box", "polygon")}
    tokens = {task: len(tokenizer(text, add_special_tokens=False)["input_ids"]) for task, text in words.items()}
    around = (found.text_tokens_in.value - sum(tokens[one.task] for one in asked)) / len(asked)
    assert around == int(around)
    assert 8 < around < 30  # nine special tokens, image among them, the roles' names and blank lines
    assert found.text_tokens_in.basis == "counted"
    assert (found.tokens_out.value, found.tokens_out.basis) == (
        pytest.approx(sum(one.tokens or 0 for one in asked)),
        "measured",
    )
    assert found.hours_here is not None
    assert found.hours_here.basis == "measured"
    assert found.hours_here.value * 3600 == pytest.approx(sum(one.seconds or 0 for one in asked))


def test_prepared_patients_take_the_room_that_was_foreseen(after: tuple[Context, Plan]) -> None:
    context, plan = after
    written = sum(path.stat().st_size for path in context.store.rglob("*.npy"))
    (foreseen,) = (one for one in plan.files if one.what == "prepared patients")
    assert foreseen.gib.value * 2**30 == pytest.approx(written, rel=0.01)


STUDY = """\
name: foreseen
grid: {shape: [95, 128, 128]}
split: {test_share: 0.25, folds: 5, fold: 0}
slices: {planes: [axial, coronal], every: 2}
tasks: [grade, box]
consistency: {repeats: 95, subjects: 2, task: grade}
models:
  - {kind: baseline, name: mean-box}
  - kind: openai
    name: hosted
    base_url: http://127.0.0.1:9/v1
    model: gpt-4o
    key_env: GLIOBENCH_ABSENT_KEY
    logprobs: true
    aggregate: learned
    temperature: 1.0
    max_new_tokens: 10
    prices: {prompt: 2.0, answer: 8.0}
"""


def study_of(folder: Path, text: str = STUDY) -> Study:
    path = folder / "foreseen.yaml"
    path.write_text(text)
    return read_study(path)


def test_an_assumed_cohort_by_hand(tmp_path: Path) -> None:
    plan = make_plan(make_context(study_of(tmp_path), out=tmp_path / "out", nowhere=NO_COHORT), patients=80)
    assert not (tmp_path / "out").exists()
    hosted = step(plan, "hosted")
    # 20 of 80 are tested and 12 of the other 60 are fold 0, which decides. Slices: 95 x 0.46 / 2, 128 x 0.43 / 2.
    slices = 95 * 0.46 / 2 + 128 * 0.43 / 2
    assert hosted.patients.value == 20
    assert hosted.questions is not None
    assert hosted.questions.value == pytest.approx(slices * (20 + 20 + 12) + 94 * 2)
    assert hosted.questions.basis == "estimate"
    assert hosted.images is not None
    assert hosted.images.value == pytest.approx(slices * 32)
    assert hosted.tokens_out is not None
    assert hosted.tokens_out.value == pytest.approx(10 * hosted.questions.value)
    assert hosted.text_tokens_in is not None
    assert hosted.image_tokens_in is not None
    assert hosted.image_tokens_in.value == pytest.approx(255 * hosted.questions.value)
    tokens_in = hosted.text_tokens_in.value + hosted.image_tokens_in.value
    assert hosted.money is not None
    assert hosted.money.value == pytest.approx((2 * tokens_in + 8 * hosted.tokens_out.value) / 1e6)
    boxes = step(plan, "mean-box").questions
    assert boxes is not None
    assert boxes.value == pytest.approx(slices * (20 + 12))  # the best is chosen on the 12 who validate
    assert any("80 patients are assumed" in sentence for sentence in plan.assumptions)


def test_a_cohorts_folder_is_counted_before_it_is_prepared(tmp_path: Path, phantom_cohort: Path) -> None:
    plan = make_plan(make_context(study_of(tmp_path), cohort=phantom_cohort, out=tmp_path / "out"))
    assert (step(plan, "", "prepare").patients.value, step(plan, "", "prepare").patients.basis) == (10, "counted")
    assert step(plan, "hosted").patients.value == 3  # a quarter of ten, rounded up from the half


@contextmanager
def hub(status: int) -> Iterator[str]:
    """A hub that knows one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIOBENCH_ABSENT_KEY", raising=False)
    more = """\
  - {kind: vlm, name: own, checkpoint: ./no-such-folder, prompts: no-prompts.yaml, tasks: [grade]}
  - {kind: network, name: old, network: mask-segmenter, weights: no-weights}
"""
    (tmp_path / "prompts.yaml").write_text("own: {text: 'What is it?'}")
    entry = "  - {kind: vlm, name: KEY-key, checkpoint: ./nowhere, prompts: prompts.yaml#KEY, tasks: [grade]}\n"
    more += entry.replace("KEY", "own")
    text = STUDY.replace("folds: 5, fold: 0", "file: no-split.json")
    found = problems(make_plan(make_context(study_of(tmp_path, text + more), out=tmp_path, nowhere=NO_COHORT)))
    assert "cohort: none is named: give --cohort FOLDER" in found
    assert ": split.file: " in found
    assert found.count("no-split.json") == 1
    assert "hosted: the environment variable GLIOBENCH_ABSENT_KEY (key_env) is not set" in found
    assert "hosted: no server answers at http://127.0.0.1:9/v1" in found
    assert ".checkpoint: no-such-folder (a model) is not there" in found
    assert "no-prompts.yaml (the prompts) is not there" in found
    assert "no-weights (a trained network) is not there" in found
    text += more + entry.replace("KEY", "absent")
    with pytest.raises(StudyError, match=r"prompts: .*prompts.yaml: no prompt under the key 'absent'"):
        make_plan(make_context(study_of(tmp_path, text), out=tmp_path, nowhere=NO_COHORT))


FINETUNED = """\
name: foreseen
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2}
tasks: [centre, grade]
models:
  - {kind: vlm, name: tuned, checkpoint: tiny-mllama, tasks: [centre, grade], finetune: {epochs: 2, every: 2}}
"""


@pytest.mark.parametrize(("tasks", "number"), [("[centre]", 1), ("[centre, grade]", 2)])
def test_a_language_model_learns_from_slices_of_patients_with_a_mask(tmp_path: Path, tasks: str, number: int) -> None:
    text = FINETUNED.replace("tasks: [centre, grade]\nmodels", f"tasks: {tasks}\nmodels")
    plan = make_plan(make_context(study_of(tmp_path, text), out=tmp_path / "out", nowhere=NO_COHORT), patients=20)
    found = step(plan, "tuned", "finetune")
    # 8 of 20 are tested, half of the others is learnt from twice; 24 x 0.46 / 2 slices.
    assert found.patients.value == 6
    assert found.questions is not None
    assert found.questions.value == pytest.approx(2 * 6 * 24 * 0.46 / 2 * number)


LEARNERS = (
    FINETUNED.replace("centre, grade", "grade")
    + """\
  - {kind: classical, name: radiomics}
  - {kind: encoder, name: probe-untrained, checkpoint: tiny-clip}
  - {kind: network, name: classifier, network: grade-classifier, train: {epochs: 1}}
  - {kind: network, name: segmenter, network: mask-segmenter, train: {epochs: 1}}
  - {kind: baseline, name: majority-grade}
"""
)


def test_who_has_nobody_to_learn_from_is_named(tmp_path: Path, phantom_cohort: Path) -> None:
    cohort = tmp_path / "ungraded"
    shutil.copytree(phantom_cohort, cohort)
    (cohort / "name_mapping.csv").unlink()
    context = make_context(study_of(tmp_path, LEARNERS), cohort=cohort, out=tmp_path / "out")
    plan = make_plan(context)
    found = problems(plan)
    assert "tuned, classifier: no patient with a truth for its tasks" in found
    assert any(line.startswith("radiomics: ") and "0 LGG and 0 HGG" in line for line in found.splitlines())
    assert any(line.startswith("probe-untrained: 2 training patients") for line in found.splitlines())
    assert "segmenter" not in found
    assert "majority" not in found
    assert step(plan, "segmenter", "train").patients.value == 3
    prepare(context)
    split(context)
    with pytest.raises(ModelError, match=r"classifier: .*grade"):
        train(context)


def test_baselines_that_learn_from_masks_are_named_where_nobody_has_one(tmp_path: Path, phantom_cohort: Path) -> None:
    cohort = tmp_path / "unmasked"
    shutil.copytree(phantom_cohort, cohort, ignore=shutil.ignore_patterns("*_seg.nii*"))
    text = FINETUNED.split("  - {kind")[0].replace("[centre, grade]", "[grade, centre, box, mask]")
    names = ("majority-grade", "image-centre", "mean-box", "flair-blob", "whole-slice", "empty")
    text += "".join(f"  - {{kind: baseline, name: {name}}}\n" for name in names)
    plan = make_plan(make_context(study_of(tmp_path, text), cohort=cohort, out=tmp_path / "out"))
    assert {one.concerns for one in plan.missing} == {"mean-box", "flair-blob"}
    assert step(plan, "majority-grade").questions == Estimate(4 + 3, "counted")
    assert step(plan, "empty").questions == Estimate(0, "counted")


def test_an_earlier_runs_patients_and_split_are_left_where_they_do_not_fit(
    after: tuple[Context, Plan], tmp_path: Path
) -> None:
    context, _ = after
    study = context.study.model_copy(update={"split": SplitConfig(test_share=0.7, folds=2)})
    assert step(make_plan(replace(context, study=study)), "flair-blob").questions == Estimate(7 + 2, "counted")
    write_phantom(tmp_path / "other", subjects=6, seed=0, spacing_mm=3)
    other = make_plan(make_context(context.study, cohort=tmp_path / "other", out=context.folder.root))
    assert step(other, "", "prepare").patients.value == 6
    gone = make_context(context.study, cohort=tmp_path / "nowhere", out=context.folder.root)
    assert "nowhere (the patients' scans) is not there" in problems(make_plan(gone))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "it will be fetched from the hub"),
        (403, "it is gated"),
        (404, "does not know it"),
        (None, "cannot be reached"),
    ],
)
def test_a_hub_says_whether_it_has_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int | None, said: str
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    head = STUDY.split("  - kind: openai")[0]
    study = study_of(tmp_path, head + "  - {kind: vlm, name: big, checkpoint: nobody/Llama-3.2-11B-Vision-Instruct}\n")
    context = make_context(study, out=tmp_path, nowhere=NO_COHORT)
    if status is None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        plan = make_plan(context)
    else:
        with hub(status) as address:
            monkeypatch.setenv("HF_ENDPOINT", address)
            plan = make_plan(context)
    assert said in problems(plan)
    memory = step(plan, "big").gpu_memory_gib
    assert memory is not None
    # 11e9 weights of 2 bytes; 16 slices of 6,404 image tokens, a fifth of which is cached at 16 KiB a billion
    assert 11e9 * 2 / 2**30 < memory.value < 1.6 * 11e9 * 2 / 2**30
    room = {one.what: one.gib.value for one in plan.files}
    assert room["checkpoint nobody/Llama-3.2-11B-Vision-Instruct"] == pytest.approx(22e9 / 2**30)


def test_the_verb_prints_tables_or_json_and_starts_nothing(tmp_path: Path) -> None:
    study_of(tmp_path)
    options = ["plan", str(tmp_path / "foreseen.yaml"), "--out", str(tmp_path / "out"), "--patients", "40"]
    done = CliRunner().invoke(app, [*options, "--json", "--hardware", "h100"])
    assert done.exit_code == 0, done.output
    plan = json.loads(done.stdout)
    assert plan["there"] == "H100, 80 GiB"
    assert {one["stage"] for one in plan["steps"]} == {"prepare", "predict", "score", "report"}
    shown = CliRunner().invoke(app, options)
    assert shown.exit_code == 0, shown.output
    assert "What is missing here" in shown.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "parameters", "family", "tokens"),
    [
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", 11e9, "mllama", 4 * (40 * 40 + 1)),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 7e9, "qwen2-vl", 25),  # 140 x 140 in squares of 28
        ("google/medgemma-4b-it", 4e9, "gemma3", 256),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", 256e6, "smolvlm", 17 * 64),
        ("somebody/else", None, "unknown", 576),
    ],
)
def test_families(name: str, parameters: float | None, family: str, tokens: int) -> None:
    assert named_parameters(name) == parameters
    assert (family_of(name).name, family_of(name).image_tokens(128, 128)) == (family, tokens)


def test_a_checkpoints_files_tell_its_size(tmp_path: Path) -> None:
    folder = write_tiny_mllama(tmp_path / "tiny")
    tensors = [tensor for file in folder.glob("*.safetensors") for tensor in load_file(file).values()]
    found = weights_of(str(folder), folder)
    assert found is not None
    assert found.counted
    assert found.parameters == sum(tensor.numel() for tensor in tensors)
    config = json.loads((folder / "config.json").read_text())["text_config"]
    width = config["hidden_size"] // config["num_attention_heads"]
    assert found.cache_bytes == 4 * config["num_hidden_layers"] * config["num_key_value_heads"] * width


def test_a_networks_operations_by_hand() -> None:
    """The study's classifier on 8³: two convolutions of 3³ with pooling behind each, then 128 hidden units."""
    size = network_size("grade-classifier", (8, 8, 8), 4, 1)
    first, second = 8 * 4 * 27 * 8**3, 16 * 8 * 27 * 4**3
    linear = 16 * 2**3 * 128 + 128
    assert size.operations == 2 * (first + second + linear)
    assert size.parameters == 8 * (4 * 27 + 1) + 16 * (8 * 27 + 1) + (128 * 128 + 128) + (128 + 1)
    assert math.isclose(network_size("grade-classifier", (95, 128, 128), 4, 1).parameters, 48.2e6, rel_tol=1e-3)


def test_a_key_is_no_part_of_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOBENCH_ABSENT_KEY", "sk-secret-1234567890")
    study = study_of(tmp_path)
    assert isinstance(study.models[1], ServerConfig)
    plan = make_plan(make_context(study, out=tmp_path, nowhere=NO_COHORT))
    assert "sk-secret" not in repr(plan)
    assert "GLIOBENCH_ABSENT_KEY" not in problems(plan)
