"""A study whose model stands on a server: killed servers cost no answer, the key stays out of everything written."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest
from tests.models.servers import SECONDS, Answer, completion, serving

from gliobench.models.base.errors import ModelError, ModelStopped
from gliobench.records.store import RecordStore
from gliobench.study.asking.served import changed_models, dates
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context
from gliobench.study.state.progress import Silent

SECRET = "sk-test-7f3a9c51d2e84b60"
STUDY = """\
name: remote
grid: {{shape: [24, 32, 32]}}
split: {{test_share: 0.4, folds: 2, seed: 1}}
slices: {{every: 3}}
tasks: [grade, box]
models:
  - kind: openai
    name: remote
    base_url: {address}
    model: served
    key_env: GLIOBENCH_TEST_KEY
    in_flight: {in_flight}
    attempts: 1
    prices: {{prompt: 2.0, answer: 8.0, currency: EUR}}
"""


@dataclass
class Notebook(Silent):
    """A voice that remembers what was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Scripted:
    """Answers, sends the key back with every answer, and while `strict` refuses the first question, when it has
    answered the seven that may run ahead."""

    strict: bool = False
    ahead: Semaphore = field(default_factory=lambda: Semaphore(0))

    def __call__(self, number: int, body: dict[str, Any]) -> Answer:
        if self.strict and number == 0:
            for _ in range(7):
                self.ahead.acquire(timeout=SECONDS)
            return Answer({"error": {"message": f"no, {SECRET}"}}, status=400, wait_s=1.0)  # till they are read
        self.ahead.release()
        box = "row_min" in body["messages"][0]["content"][1]["text"]
        return Answer(completion(f"{'(1, 2, 10, 12)' if box else 'Choice: 1'} {SECRET}"))


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOBENCH_TEST_KEY", SECRET)


def _context(tmp_path: Path, cohort: Path, address: str, voice: Notebook, in_flight: int = 4) -> Context:
    path = tmp_path / "remote.yaml"
    path.write_text(STUDY.format(address=address, in_flight=in_flight))
    context = make_context(read_study(path), cohort=cohort, out=tmp_path / "out", voice=voice)
    prepare(context)
    split(context)
    return context


@pytest.mark.usefixtures("key")
def test_a_run_that_is_stopped_costs_no_answer_and_asks_none_twice(tmp_path: Path, phantom_cohort: Path) -> None:
    script, voice = Scripted(strict=True), Notebook()
    with serving(script) as (address, log):
        context = _context(tmp_path, phantom_cohort, address, voice)
        with pytest.raises(ModelStopped, match=r"axial slice \d+: .* HTTP 400: no, \[key\]"):
            predict(context)
        kept = list(RecordStore(context.folder.answers("remote")).read())
        stopped = len(kept)
        assert 7 <= stopped <= 10, "7 may run ahead of the question that stopped the run: one of the first 4 to arrive"
        script.strict, before = False, len(log.bodies)
        predict(_context(tmp_path, phantom_cohort, address, voice, in_flight=2))  # how it is asked is no new question
        records = list(RecordStore(context.folder.answers("remote")).read())
        assert len(log.bodies) - before == len(records) - stopped
        predict(context)
        assert len(log.bodies) - before == len(records) - stopped
    assert len({record.key for record in records}) == len(records) > 20
    assert {record.kind for record in records} == {"answered"}
    assert {record.task for record in records} == {"grade", "box"}
    # 100 prompt tokens a reply at 2 a million, 4 answer tokens at 8
    tokens, money = f"{100 * stopped} prompt and {4 * stopped} answer tokens", f"{stopped * (200 + 32) / 1e6:.4f} EUR"
    assert any(f"{stopped} replies, 0 attempts repeated, {tokens}, {money}" in line for line in voice.lines)
    assert any(f"{stopped} of {len(records)} questions are cached" in line for line in voice.lines)
    assert any("remote: skipped" in line for line in voice.lines)
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert b"Choice: 1 [key]" in written
    assert SECRET not in "\n".join(voice.lines)


@pytest.mark.usefixtures("key")
def test_a_server_that_changes_its_model_is_several_models(tmp_path: Path, phantom_cohort: Path) -> None:
    def one_then_another(number: int, body: dict[str, Any]) -> Answer:
        told = {"model": "served-2026", "system_fingerprint": "fp_1" if number < 3 else f"fp_2\x1b[2J{SECRET}"}
        return Answer({**completion("Choice: 1"), **told})

    with serving(one_then_another) as (address, _):
        context = _context(tmp_path, phantom_cohort, address, Notebook(), in_flight=1)
        predict(context)
    records = list(RecordStore(context.folder.answers("remote")).read())
    (sentence,) = changed_models(context)
    assert "3 as served-2026, fp_1, " in sentence
    assert f"{len(records) - 3} as served-2026, fp_2\\x1b[2J[key])" in sentence
    (line,) = dates(context)
    today = datetime.now(UTC)
    assert line[-10:] in {f"{today:%Y-%m-%d}", f"{today - timedelta(hours=1):%Y-%m-%d}"}
    assert all(datetime.fromisoformat(str(record.time)) <= today for record in records)


def test_a_key_that_is_not_set_is_named_before_anything_is_asked(
    tmp_path: Path, phantom_cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLIOBENCH_TEST_KEY", raising=False)
    with serving(Scripted()) as (address, log):
        context = _context(tmp_path, phantom_cohort, address, Notebook())
        with pytest.raises(ModelError, match=r"environment variable GLIOBENCH_TEST_KEY \(key_env\) is not set"):
            predict(context)
    assert log.bodies == []


@pytest.mark.parametrize("line", [f"key_env: {SECRET}", f"api_key: {SECRET}", f"key_env: {SECRET.replace('-', '_')}"])
def test_a_key_written_into_the_study_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "remote.yaml"
    text = STUDY.format(address="http://127.0.0.1:1/v1", in_flight=1)
    path.write_text(text.replace("key_env: GLIOBENCH_TEST_KEY", line))
    with pytest.raises(StudyError, match=rf"remote.yaml:11: models.0.{line.split(':')[0]}: ") as caught:
        read_study(path)
    assert "7f3a9c51d2e84b60" not in str(caught.value)
    assert caught.value.__cause__ is None
