"""A damaged run folder: what can be made again is, and said; what cannot is refused by name, and `repair` goes on."""

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gliobench.cli.app import app, main
from gliobench.errors import GliobenchError
from gliobench.integrity import read_json, write_json
from gliobench.models.base.errors import ModelError
from gliobench.models.language.finetuned import trained_on
from gliobench.records.store import RecordStore
from gliobench.study.showing.report import read_verdicts
from gliobench.study.state.context import StageError

STUDY = """\
name: damaged
grid: {shape: [16, 24, 24]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 6}
tasks: [grade, mask]
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: flair-blob}
  - {kind: network, name: segmenter, network: mask-segmenter, regions: brats, train: {epochs: 1}}
"""
TABLES = ("per_subject", "summary", "votes")


class Run:
    """A run folder that can be damaged and made whole again."""

    def __init__(self, folder: Path, cohort: Path) -> None:
        self.study, self.cohort, self.out, self.whole = folder / "s.yaml", cohort, folder / "run", folder / "whole"
        self.study.write_text(STUDY)
        assert self("run").exit_code == 0
        shutil.copytree(self.out, self.whole)

    def __call__(self, verb: str) -> Result:
        arguments = [verb, str(self.study), "--cohort", str(self.cohort), "--out", str(self.out)]
        return CliRunner().invoke(app, [verb, str(self.out)] if verb == "repair" else arguments)

    def restore(self) -> None:
        shutil.rmtree(self.out)
        shutil.copytree(self.whole, self.out)

    def check_tables(self) -> None:
        for name in TABLES:
            found, expected = (pd.read_parquet(run / "scores" / f"{name}.parquet") for run in (self.out, self.whole))
            pd.testing.assert_frame_equal(found, expected, check_exact=True)


def refused(result: Result) -> str:
    """The message of a command that refused; whatever else it ended with is a fault."""
    assert isinstance(result.exception, GliobenchError), result.output
    return str(result.exception)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Run:
    return Run(tmp_path_factory.mktemp("damage"), phantom_cohort)


@pytest.fixture
def run(made: Run) -> Run:
    made.restore()
    return made


def flip(path: Path, place: int = -9) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


AGAIN = {
    "prepared.json": "prepare",
    "split.json": "split",
    "answers/segmenter.asked.json": "predict-segmenter",
    "answers/segmenter.tested.json": "predict-segmenter",
    "answers/segmenter.validation.json": "predict-segmenter",
    "scores/summary.parquet": "score",
    "scores/votes.parquet": "score",
    "report/report.html": "report",
    "stamps/score.json": "score",
    "stamps/train-segmenter-fold-0.json": "train-segmenter-fold-0",
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_can_be_made_again_is_made_again_and_said(run: Run, name: str) -> None:
    flip(run.out / name)
    weights = (run.out / "networks/segmenter/fold-0/network.safetensors").stat().st_mtime_ns
    done = run("run")
    assert done.exit_code == 0, done.output
    said = done.output.replace("\n", "")
    assert f"{AGAIN[name]}: " in said
    assert str(run.out / name) in said
    run.check_tables()
    assert (run.out / "networks/segmenter/fold-0/network.safetensors").stat().st_mtime_ns == weights, "learnt once"
    assert "damaged" not in run("run").output


def test_a_stamp_that_links_to_nowhere_is_made_again(run: Run) -> None:
    path = run.out / "stamps/report.json"
    path.unlink()
    path.symlink_to("nowhere")
    done = run("run")
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    assert "report: done" in done.output
    assert "report: skipped" in run("run").output


def test_a_flipped_bit_of_a_prepared_patient_is_never_seen_by_a_model(run: Run) -> None:
    image = next((run.out / "grid").glob("*/image.npy"))
    flip(image, 900)
    assert image.parent.name in refused(run("score"))
    assert run("run").exit_code == 0
    assert image.read_bytes() == (run.whole / image.relative_to(run.out)).read_bytes()


def test_a_flipped_bit_of_a_mask_changes_no_figure(run: Run) -> None:
    mask = next(path for path in sorted((run.out / "answers/masks").glob("*-core.npy")))
    flip(mask)
    (run.out / "stamps/score.json").unlink()
    assert mask.name in refused(run("score"))
    repaired = run("repair")
    assert repaired.exit_code == 0
    assert "segmenter.jsonl, line" in repaired.output
    assert "checksum" in repaired.output
    assert mask.with_name(f"{mask.name}.damaged").is_file()
    again = run("run")
    assert again.exit_code == 0, again.output
    assert "segmenter: 3 of 4 questions" in again.output
    run.check_tables()
    assert mask.read_bytes() == (run.whole / mask.relative_to(run.out)).read_bytes()


def test_a_damaged_record_is_named_and_only_it_is_asked_again(run: Run) -> None:
    answers = run.out / "answers/flair-blob.jsonl"
    lines = answers.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"finish"', '"finisi"')
    answers.write_text("".join(lines))
    for verb in ("predict", "score", "run"):
        assert "flair-blob.jsonl, line 2: " in refused(run(verb))
    assert "6 intact records" in run("repair").output.replace("\n", "")
    assert (run.out / "answers/flair-blob.jsonl.damaged").read_text() == "".join(lines)
    again = run("run")
    assert "flair-blob: 6 of 7 questions" in again.output
    run.check_tables()
    assert "nothing is damaged" in run("repair").output


def test_answers_that_are_gone_are_not_asked_again_unasked(run: Run) -> None:
    answers = run.out / "answers/flair-blob.jsonl"
    answers.write_text("")
    for verb in ("predict", "score", "run"):
        assert "flair-blob.jsonl: 7 of 7 answers are gone" in refused(run(verb))
    assert "flair-blob: 7 of 7 answers are lost" in run("repair").output
    assert run("run").exit_code == 0
    run.check_tables()


@pytest.mark.parametrize(
    ("name", "learns"), [("network.safetensors", True), ("curves.csv", False), ("figures.json", False)]
)
def test_hours_of_training_are_not_spent_unasked(run: Run, name: str, learns: bool) -> None:
    out = run.out / "networks/segmenter/fold-0"
    description = read_json(out / "network.json")
    flip(out / name)
    assert f"{out / name} is damaged" in refused(run("run"))
    assert f"set aside as {name}.damaged" in run("repair").output.replace("\n", " ")
    done = run("run")
    assert done.exit_code == 0, done.output
    assert ("train-segmenter-fold-0: done" in done.output) == learns
    assert (out / name).exists() == learns
    assert (read_json(out / "network.json")["seconds"] != description["seconds"]) == learns
    run.check_tables()


def test_a_run_folder_of_an_earlier_version_is_taken_as_it_is_and_checked_from_then_on(run: Run) -> None:
    for path in [*run.out.rglob("*.json")]:
        content = json.loads(path.read_text())
        if path.name != "split.json":
            content.pop("checksum")
        content.pop("files", None) if path.parent.name == "stamps" else None
        path.write_text(json.dumps(content.get("keys", content)))
    for path in (run.out / "answers").glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            del record["check"]
            if "mask" in record["value"]:
                record["value"].pop("digest")
                if "inner" in record["value"]:
                    record["value"]["inner"] = list(record["value"]["inner"])
        path.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))
    done = run("run")
    assert done.exit_code == 0, done.output
    assert "train-segmenter-fold-0: done by a version that kept no checksums" in done.output.replace("\n", " ")
    assert "train-segmenter-fold-0: skipped" in done.output
    run.check_tables()
    flip(run.out / "networks/segmenter/fold-0/network.safetensors")
    assert "network.safetensors is damaged" in refused(run("run"))


Damage = Callable[[Path, random.Random], object]
DAMAGES: dict[str, Damage] = {
    "emptied": lambda path, rng: path.write_bytes(b""),
    "cut": lambda path, rng: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": lambda path, rng: flip(path, rng.randrange(path.stat().st_size)),
    "garbage": lambda path, rng: path.write_bytes(rng.randbytes(200)),
    "a list": lambda path, rng: path.write_bytes(b"[[1]]\n"),
    "null": lambda path, rng: path.write_bytes(b"null\n"),
    "deleted": lambda path, rng: path.unlink(),
    "a folder": lambda path, rng: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_ends_in_a_traceback_or_another_figure(run: Run, damage: str) -> None:
    """`benchmarks/reliability/folders.py` in small: here three files of a seeded draw for each kind of damage."""
    rng = random.Random(damage)
    files = sorted(path for path in run.whole.rglob("*") if path.is_file() and path.suffix != ".lock")
    files = [path for path in files if path.parent.name != "report"]  # drawing takes seconds
    for whole in rng.sample(files, 3):
        run.restore()
        path = run.out / whole.relative_to(run.whole)
        (run.out / "stamps/score.json").unlink()
        if path.exists():
            DAMAGES[damage](path, rng)
        done = run("run")
        if done.exit_code:
            assert path.name.removesuffix(".npy") in refused(done) or path.parent.name in refused(done)
            assert run("repair").exit_code == 0
            again = run("run")
            assert again.exit_code == 0, f"{path}: {again.output} {again.exception}"
        run.check_tables()


def test_two_commands_on_one_folder_meet_in_one_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gliobench.study.state.lock import locked

    (run.out / "stamps/score.json").unlink()
    with locked(run.out / "stamps/score.lock", "score"):
        assert "score is in progress: process" in refused(run("run"))
        assert run("plan").exit_code == 0, "what only reads goes on"
    with locked(run.out / "stamps/predict-flair-blob.lock", "predict-flair-blob"):
        assert run("run").exit_code == 0, "another stage can run at the same time"
        assert "predict-flair-blob is in progress: process" in refused(run("repair"))


def test_an_error_of_the_file_system_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["gliobench", "phantom", str(tmp_path / "file" / "patients"), "--subjects", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"gliobench: {tmp_path / 'file' / 'patients'}: Not a directory"


def test_repair_knows_a_run_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["repair", str(tmp_path)])
    assert "is no run folder" in refused(result)


def test_a_torn_last_line_is_no_damage(run: Run) -> None:
    answers = run.out / "answers/flair-blob.jsonl"
    whole = [record.key for record in RecordStore(answers).read()]
    with answers.open("ab") as file:
        file.write(b'{"key":"half')
    assert run("run").exit_code == 0
    assert [record.key for record in RecordStore(answers).read()] == whole
    write_json(run.out / "unrelated.json", {})
    assert "flair-blob.jsonl, line 8: it is incomplete" in run("repair").output


def test_checks_of_an_earlier_version_are_a_plain_list_and_nothing_else_is(tmp_path: Path) -> None:
    verdict, path = {"check": "weights changed", "passed": True, "found": "12 of 12"}, tmp_path / "checks.json"
    for content in ([verdict], {"checks": [verdict]}):
        path.write_text(json.dumps(content))
        assert read_verdicts(path) == [verdict]
    for damaged in ("[3]", '[{"check": "x"}]', '[{"check": "x"', "null", "{}"):
        path.write_text(damaged)
        with pytest.raises(StageError, match=r"checks\.json is damaged.*run `gliobench finetune`"):
            read_verdicts(path)
    (tmp_path / "finetune.json").write_text("[]")
    with pytest.raises(ModelError, match=r"finetune\.json"):
        trained_on(str(tmp_path))
