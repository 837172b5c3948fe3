"""A model asked in shards answers as a model asked at once, and a contradiction between shards is repaired."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.records.errors import RecordError

STUDY = """\
name: shards
grid: {shape: [16, 24, 24]}
split: {test_share: 0.6, folds: 2, seed: 1}
slices: {every: 6}
tasks: [grade, mask]
models:
  - {kind: baseline, name: flair-blob}
  - {kind: vlm, name: untrained, checkpoint: tiny-mllama, tasks: [grade], answer: choice, batch_size: 3}
"""


class Run:
    def __init__(self, folder: Path, cohort: Path) -> None:
        self.study, self.cohort, self.out = folder / "s.yaml", cohort, folder / "run"
        self.study.write_text(STUDY)

    def __call__(self, verb: str, *options: str) -> Result:
        places = [str(self.out)] if verb == "repair" else [str(self.study), "--cohort", str(self.cohort)]
        out = [] if verb == "repair" else ["--out", str(self.out)]
        return CliRunner().invoke(app, [verb, *places, *out, *options])

    def answers(self, name: str = "untrained.jsonl") -> dict[str, dict[str, object]]:
        """By key, without what differs from one asking to the next."""
        lines = map(json.loads, (self.out / "answers" / name).read_text().splitlines())
        return {line["key"]: {k: v for k, v in line.items() if k not in ("seconds", "time", "check")} for line in lines}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Run:
    run = Run(tmp_path_factory.mktemp("shards"), phantom_cohort)
    assert [run(verb).exit_code for verb in ("prepare", "split", "predict")] == [0, 0, 0]
    return run


def test_shards_give_the_answers_of_one_process_to_the_last_bit(run: Run) -> None:
    whole, folder = run.answers(), run.out / "answers"
    for path in (*folder.glob("untrained*"), *run.out.glob("stamps/predict-untrained*")):
        path.unlink()
    for shard in ("2/2", "1/2"):
        done = run("predict", "--model", "untrained", "--shard", shard)
        assert done.exit_code == 0, done.output
    assert not (folder / "untrained.asked.json").exists(), "only the whole model has been asked"
    parts = [run.answers(f"untrained/{path.name}") for path in sorted((folder / "untrained").iterdir())]
    assert len(parts) == 2
    assert parts[0].keys() & parts[1].keys() == set()
    assert parts[0] | parts[1] == whole
    assert "skipped" in run("predict", "--model", "untrained", "--shard", "1/2").output
    gathered = run("predict", "--model", "untrained")
    assert f"{len(whole)} of {len(whole)} questions are cached" in gathered.output.replace("\n", " ")
    assert run.answers() == whole
    assert not list((folder / "untrained").iterdir())


def test_repair_moves_both_of_two_different_answers_aside(run: Run) -> None:
    path, other = run.out / "answers/untrained.jsonl", run.out / "answers/untrained/1-of-2@elsewhere.jsonl"
    whole = run.answers()
    line = json.loads(path.read_text().splitlines()[0])
    del line["check"]
    other.parent.mkdir(exist_ok=True)
    other.write_text(json.dumps({**line, "text": "another"}) + "\n")
    found = run("predict")
    assert isinstance(found.exception, RecordError), found.output
    assert "1-of-2@elsewhere.jsonl, line 1: another answer" in str(found.exception)
    said = run("repair").output
    assert said.count("one of several answers of untrained") == 2
    assert "answers are lost; the next run repeats only these" in said
    again = run("predict")
    assert again.exit_code == 0, again.output
    found_again = run.answers()
    assert found_again.keys() == whole.keys()
    assert {key: one["text"] for key, one in found_again.items()} == {key: one["text"] for key, one in whole.items()}
    shutil.rmtree(other.parent)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b"])
def test_a_shard_is_one_of_so_many(run: Run, shard: str) -> None:
    assert "expected a part and the number of parts" in run("predict", "--shard", shard).output.replace("\n", " ")


def test_a_model_of_whole_patients_has_no_shards(run: Run) -> None:
    message = str(run("predict", "--model", "flair-blob", "--shard", "1/2").exception)
    assert "flair-blob is not asked slice by slice" in message
