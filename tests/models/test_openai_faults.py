"""Servers that misbehave: slow, overloaded, cut off, empty, down. No finished answer is lost and no key is shown."""

import asyncio
import json
import logging
import os
import re
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Timer
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from tests.models.asked import questions
from tests.models.servers import SECONDS, Answer, completion, serving

from gliobench.cohort.problem import GLIOMA
from gliobench.models.base.errors import ModelError, ModelStopped
from gliobench.models.base.prediction import Prediction
from gliobench.models.server.client import OpenAIModel, Server
from gliobench.models.server.key import Key, read_key
from gliobench.models.server.reply import class_probability, read_reply
from gliobench.models.server.server import seconds_to_wait
from gliobench.records.record import make_record
from gliobench.records.value import Arrays
from gliobench.tasks.answer import Answered, Missing, Refused, Truncated
from gliobench.tasks.geometry import Grade

GOOD = Answer(completion("Choice: 1"))
SECRET = "sk-test-7f3a9c51d2e84b60"


def _model(address: str, *, in_flight: int = 1, **server: Any) -> OpenAIModel:
    quick = {"attempts": 3, "timeout_s": 60.0, "first_wait_s": 0.01} | server
    return OpenAIModel(Server(address, **quick), "m", name="model", in_flight=in_flight)


@pytest.mark.parametrize(
    "fault",
    [
        Answer({"error": {"message": "overloaded"}}, status=500),
        Answer(b"<html>Bad Gateway</html>", status=502),
        Answer({"detail": "loading"}, status=503),
        Answer({"error": {"message": "slow down"}}, status=429),
        Answer({"error": {"message": "too slow"}}, status=408),
        Answer(completion("Choice: 0"), hang_up=True),
        Answer(completion("Choice: 0"), cut=40),
        Answer(b'{"choices": [{"message": {"content": "Choice: 0'),
        Answer(b"[" * 100_000),
        Answer(b"\xff\xfe"),
        Answer([1, 2]),
        Answer(b"[" * 600 + b"]" * 600),
        Answer({"choices": []}),
        Answer({"choices": [{"finish_reason": "stop"}]}),
        Answer({"error": {"message": "upstream failed", "code": 502}}),
        Answer(completion("Choice: 0") | {"error": {"message": "upstream failed"}}),
        Answer({"object": "error", "message": "The model `m` does not exist.", "code": 404}),
        Answer({"object": "error", "choices": None, "message": "image too large", "code": 400}),
        Answer(completion("Choice: 0", error={"code": 502, "message": "Provider returned error"})),
        Answer(completion("Choice: 0", "error")),
        Answer(completion("Choice: 0", "abort")),
        Answer(completion(None) | {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}),
        Answer(completion(" ") | {"usage": {"prompt_tokens": 0, "completion_tokens": 0}}),
        Answer(completion(None) | {"usage": None}),
        Answer(
            {"choices": [{"finish_reason": "stop", "message": {"content": "Choice: 0", "error": {"message": "x"}}}]}
        ),
        Answer(b'data: {"error": {"message": "overloaded"}}\n\ndata: [DONE]\n\n'),
        Answer(json.dumps(completion("Choice: 0")).encode() + b" " * 2**24),
    ],
    ids=str,
)
def test_a_fault_that_passes_is_tried_again_and_never_seen(fault: Answer) -> None:
    with serving(lambda number, _: fault if number in (0, 1) else GOOD) as (address, log):
        model = _model(address, key=Key(SECRET))
        (prediction,) = model.predict(questions(1, "grade"))
    assert prediction.answer == Answered(Grade(1))
    assert prediction.finish == "stop"
    assert len(log.bodies) == 3
    assert (model.usage.replies, model.usage.retries) == (1, 2)


def test_an_answer_that_takes_too_long_is_asked_for_again() -> None:
    late = Answer(completion("Choice: 0"), wait_s=SECONDS)
    with serving(lambda number, _: late if number in (0, 1) else GOOD) as (address, _):
        model = _model(address, timeout_s=1.0, attempts=10)  # a busy machine takes a second now and then
        (prediction,) = model.predict(questions(1, "grade"))
    assert prediction.answer == Answered(Grade(1))
    assert model.usage.replies == 1
    assert model.usage.retries >= 2


def _wait_until(so: Callable[[], bool]) -> None:
    """Return once it is so; a test that waits in vain fails by what it finds then."""
    end = time.monotonic() + SECONDS
    while not so() and time.monotonic() < end:
        time.sleep(0.005)


def test_retry_after_is_honoured_by_every_question() -> None:
    refused: list[float] = []

    def answer(number: int, _: dict[str, Any]) -> Answer:
        if number == 0:
            _wait_until(lambda: len(log.bodies) == 3)  # three are on their way
            refused.append(time.monotonic())
            return Answer({}, status=429, headers={"Retry-After": "1"})
        _wait_until(lambda: model.usage.retries == 1)  # the client has read the refusal
        return GOOD

    with serving(answer) as (address, log):
        model = _model(address, in_flight=3)
        assert len(list(model.predict(questions(6, "grade")))) == 6
    assert len(log.times) == 7
    assert max(log.times[:3]) <= refused[0]
    assert min(log.times[3:]) >= refused[0] + 1.0


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert seconds_to_wait(soon) == pytest.approx(30, abs=2)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    never = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    read = [seconds_to_wait(text) for text in (None, "7", " 0.5 ", "-3", "nan", "soon", "", past, never)]
    assert read == [0, 7, 0.5, 0, 0, 0, 0, 0, 0]


def test_a_server_that_asks_for_an_hour_stops_the_run_at_once() -> None:
    start = time.monotonic()
    with (
        serving(lambda *_: Answer({}, status=503, headers={"Retry-After": "3600"})) as (address, log),
        pytest.raises(ModelStopped, match=r"3600 s.* 600 s"),
    ):
        list(_model(address).predict(questions(1, "grade")))
    assert len(log.bodies) == 1
    assert time.monotonic() - start < SECONDS


def test_waits_between_attempts_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    monkeypatch.setattr("random.uniform", lambda low, high: asked.append((low, high)) or 0.0)
    with serving(lambda number, _: GOOD if number == 5 else Answer({}, status=500)) as (address, _):
        list(_model(address, attempts=6, first_wait_s=0.5).predict(questions(1, "grade")))
    assert asked == [(0, 0.5), (0, 1.0), (0, 2.0), (0, 4.0), (0, 8.0)]


def _by_question(fault: Answer, which: int) -> Callable[[int, dict[str, Any]], Answer]:
    """A fault whenever one slice is shown, told by its picture; good answers to all else."""
    marks: list[str] = []

    def answer(_: int, body: dict[str, Any]) -> Answer:
        picture = body["messages"][0]["content"][0]["image_url"]["url"]
        if picture not in marks:
            marks.append(picture)
        return fault if marks.index(picture) == which else GOOD

    return answer


@pytest.mark.parametrize(
    ("fault", "finish", "control"),
    [
        (Answer({"error": {"message": "cannot decode"}}, status=500), "HTTP 500", 5),
        (Answer({}, hang_up=True), "hang-up", 5),
        (Answer(b"{"), "broken JSON", 5),
    ],
)
def test_a_question_that_keeps_failing_alone_is_missing_and_the_others_are_answered(
    fault: Answer, finish: str, control: int
) -> None:
    with serving(_by_question(fault, 2)) as (address, log):
        predictions = list(_model(address).predict(questions(6, "grade")))
    failed = predictions.pop(2)
    assert isinstance(failed.answer, Missing)
    assert "attempt 3 of 3" in failed.answer.reason
    assert (failed.finish, failed.text, failed.tokens) == (finish, None, None)
    assert [prediction.answer for prediction in predictions] == [Answered(Grade(1))] * 5
    # A black slice shows that the server is not at fault, three more attempts and a black slice that it had not just
    # come back.
    assert len(log.bodies) == 5 + 3 + control


def _choice(content: object, finish: str = "stop", tokens: int | None = None, **more: object) -> dict[str, object]:
    message = {"content": content, **{key: more.pop(key) for key in ("reasoning_content", "refusal") if key in more}}
    usage = {} if tokens is None else {"usage": {"completion_tokens": tokens}}
    return {"choices": [{"message": message, "finish_reason": finish, **more}], **usage}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "the model `m` does not exist"}}, "the model `m` does not exist"),
        ({"object": "error", "message": "out of memory"}, "out of memory"),
        ({"detail": "model is loading"}, "model is loading"),
        ({"choices": []}, "no choices"),
        ({"choices": None}, "no choices"),
        ({**_choice("Choice: 1"), "error": {"message": "upstream broke off"}}, "upstream broke off"),
        (_choice(None, error={"code": 502, "message": "provider failed"}), "502 provider failed"),
        (_choice("Choi", finish="error"), "is an error"),
        (_choice(None, tokens=0), "empty, of 0 tokens"),
        (_choice("", tokens=0), "empty, of 0 tokens"),
    ],
)
def test_a_failure_in_status_200_stops_the_run_with_the_servers_words_and_nothing_of_it_is_kept(
    body: dict[str, object], words: str
) -> None:
    with serving(_by_question(Answer(body), 2)) as (address, log):
        kept: list[Prediction] = []
        with pytest.raises(ModelStopped) as caught:
            kept.extend(_model(address).predict(questions(6, "grade")))
        kept += caught.value.answered
    assert words in str(caught.value)
    assert "black" not in str(caught.value)
    assert [one.answer for one in kept] == [Answered(Grade(1))] * len(kept)
    assert 2 not in [one.question.frame.index for one in kept if one.question.frame]
    assert len(log.bodies) >= 3  # tried again, as after any failure that can pass


def test_text_that_the_server_set_aside_as_reasoning_is_named_and_is_no_answer() -> None:
    aside = _choice(None, tokens=40, reasoning_content="Choice: 1")
    cut = _choice("", finish="length", tokens=40, reasoning_content="Choice: 1")
    filtered = _choice(None, finish="content_filter", tokens=0)
    replies = [Answer(one) for one in (aside, cut, filtered)]
    with serving(lambda number, _: replies[number]) as (address, _):
        answers = [one.answer for one in _model(address, in_flight=1).predict(questions(3, "grade"))]
    assert [type(one) for one in answers] == [Missing, Truncated, Refused]
    assert "reasoning_content" in answers[0].reason


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (400, "/models/llama is not a multimodal model"),
        (400, "At most 0 image(s) may be provided in one prompt."),
    ],
)
def test_a_server_that_takes_no_images_is_not_called_down(status: int, words: str) -> None:
    fault = Answer({"error": {"message": words}}, status=status)
    with serving(lambda *_: fault) as (address, log), pytest.raises(ModelStopped) as caught:
        list(_model(address, in_flight=1).predict(questions(2, "grade")))
    assert "--mmproj" in str(caught.value)
    assert words in str(caught.value)
    assert len(log.bodies) <= 2  # each question once at most, not thrice


def test_a_server_that_comes_back_while_it_is_tested_costs_no_answer() -> None:
    down = range(2, 7)  # all three attempts of the third question, and two of the three about a black slice
    with serving(lambda number, _: Answer({}, status=503) if number in down else GOOD) as (address, _):
        predictions = list(_model(address).predict(questions(4, "grade")))
    assert [prediction.answer for prediction in predictions] == [Answered(Grade(1))] * 4


@pytest.mark.parametrize("last", [Answer({}, status=429), Answer({"choices": []})])
def test_what_the_last_attempt_says_is_not_all_that_was_said(last: Answer) -> None:
    faults = [Answer({}, status=503), Answer({}, status=503), last]
    with serving(lambda number, _: faults[number] if number < 3 else GOOD) as (address, log):
        (prediction,) = _model(address).predict(questions(1, "grade"))
    assert prediction.answer == Answered(Grade(1))
    assert len(log.bodies) == 3 + 1 + 1  # the slice, a black one, the slice again


def test_a_server_that_goes_down_stops_the_run_and_keeps_what_is_answered() -> None:
    with serving(lambda number, _: GOOD if number < 4 else Answer({}, hang_up=True)) as (address, _):
        kept: list[Prediction] = []
        stopped = pytest.raises(ModelStopped, match="subject-1, grade, axial slice 4: ")
        with stopped as caught:
            kept.extend(_model(address).predict(questions(9, "grade")))
    assert [prediction.question.frame.index for prediction in kept if prediction.question.frame] == [0, 1, 2, 3]
    assert caught.value.answered == ()


def test_a_server_that_is_not_there() -> None:
    with serving(lambda *_: GOOD) as (address, _):
        pass
    with pytest.raises(ModelStopped, match=re.escape(address)):
        list(_model(address).predict(questions(2, "grade")))


def test_answers_behind_the_question_that_stops_are_handed_over() -> None:
    first, *others = questions(3, "grade")
    asked = [replace(first, task="box"), *others]  # told from the others by its words, in whatever order they arrive

    def answer(_: int, body: dict[str, Any]) -> Answer:
        if "row_min" not in body["messages"][0]["content"][1]["text"]:
            return GOOD
        _wait_until(lambda: model.usage.replies == 2)  # the client has read the others' answers
        return Answer({"error": {"message": "no"}}, status=400)

    with serving(answer) as (address, _):
        model = _model(address, in_flight=3)
        with pytest.raises(ModelStopped, match="HTTP 400: no") as caught:
            list(model.predict(asked))
    assert [prediction.question for prediction in caught.value.answered] == others


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Answer({"error": {"message": "bad key"}}, status=401),
            "HTTP 401: bad key.*key_env",
        ),
        (Answer({"detail": "no such model"}, status=404), "HTTP 404: no such model.*base_url"),
        (Answer({}, status=308, headers={"Location": "http://127.0.0.1:1/"}), "HTTP 308.*base_url"),
        (Answer({"error": {"code": "insufficient_quota", "message": "pay"}}, status=429), "insufficient_quota pay"),
        (Answer({"message": "unknown field regex"}, status=422), "HTTP 422: .*unknown field regex"),
        *(
            (Answer({"error": {"message": said}}, status=status), re.escape(said[:12]) + ".*--mmproj")
            for status, said in [
                (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
                (400, "some-text-model is not a multimodal model"),
                (400, "At most 0 image(s) may be provided in one prompt."),
                (404, "No endpoints found that support image input"),
                (422, "messages[0]: unknown variant `image_url`, expected `text`"),
                (200, "Model does not support images"),
            ]
        ),
    ],
)
def test_what_no_second_attempt_mends_is_said_at_once(fault: Answer, message: str) -> None:
    with serving(lambda *_: fault) as (address, log), pytest.raises(ModelStopped, match=message):
        list(_model(address).predict(questions(1, "grade")))
    assert len(log.bodies) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Answer({"object": "error", "message": "The model `m` does not exist.", "code": 404}),
            "404 The model `m` does",
        ),
        (Answer(completion("Choice: 0", error={"code": 502, "message": "Provider failed"})), "502 Provider failed"),
        (Answer(completion(None) | {"usage": {"completion_tokens": 0}}), "0 tokens"),
        (Answer(completion("Generation failed", "error")), "finish_reason error.: Generation failed"),
    ],
)
def test_errors_in_http_200_stop_the_run_with_the_servers_words_and_are_no_answers(fault: Answer, words: str) -> None:
    with serving(lambda *_: fault) as (address, _), pytest.raises(ModelStopped, match=words) as caught:
        list(_model(address).predict(questions(2, "grade")))
    assert caught.value.answered == ()


def test_an_answer_within_thoughts_alone_is_named_and_not_read() -> None:
    said = [
        completion(None, message={"content": None, "reasoning_content": "Choice: 1"}),
        completion("", message={"content": "", "reasoning": "Choice: 1"}),
        completion(None, "length", message={"content": None, "reasoning_content": "The choice is 1, but"}),
        completion(None, message={"content": "Choice: 0", "reasoning_content": "Choice: 1"}),
        completion("The lesion shows a rim that", "max_tokens"),
        completion("", "stop"),  # 4 tokens were written: the model's own silence
    ]
    with serving(lambda number, _: Answer(said[number])) as (address, _):
        first, second, cut, whole, limit, silent = _model(address).predict(questions(6, "grade"))
    for prediction, field in ((first, "reasoning_content"), (second, "reasoning")):
        assert isinstance(prediction.answer, Missing)
        assert f"`{field}`" in prediction.answer.reason
        assert prediction.score is None
    assert isinstance(cut.answer, Truncated)
    assert whole.answer == Answered(Grade(0))
    assert isinstance(limit.answer, Truncated)
    assert isinstance(silent.answer, Missing)


def test_a_rate_limit_that_never_ends_is_not_the_questions_fault() -> None:
    with serving(lambda *_: Answer({}, status=429)) as (address, log):
        with pytest.raises(ModelStopped, match=r"HTTP 429 \(attempt 3 of 3\).*in_flight"):
            list(_model(address).predict(questions(1, "grade")))
        assert len(log.bodies) == 3


def test_a_content_filter_is_a_refusal() -> None:
    fault = Answer({"error": {"code": "content_filter", "message": "blood"}}, status=400)
    with serving(_by_question(fault, 0)) as (address, _):
        first, second = _model(address).predict(questions(2, "grade"))
    assert first.answer == Refused("the server's content filter: content_filter blood")
    assert second.answer == Answered(Grade(1))


def test_the_key_is_sent_and_shown_nowhere_even_where_the_server_sends_it_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SOME_KEY", f" {SECRET}\n")
    key = read_key("SOME_KEY")
    echoed = [
        Answer(completion(f"Choice: 1, you said {SECRET}", finish=f"stop {SECRET}")),
        Answer({"choices": [{"message": {"content": None, "refusal": f"no, {SECRET}"}}]}),
        Answer({"error": {"code": "content_filter", "message": SECRET}}, status=400),
        Answer({"choices": [{"message": {"content": [{"text": SECRET[:9]}, {"text": SECRET[9:]}]}}]}),
        Answer({"error": {"message": f"bad key {SECRET}"}}, status=401, headers={"X-Key": SECRET}),
    ]
    shown = [repr(key), str(key), repr(Server("http://127.0.0.1/v1", key))]
    with serving(lambda number, _: echoed[number]) as (address, log):
        model = _model(address, key=key)
        predictions = model.predict(questions(5, "grade"))
        for prediction in [next(predictions) for _ in range(4)]:
            shown += [repr(prediction), make_record("k", "m", prediction, (), Arrays(tmp_path)).to_json()]
        with pytest.raises(ModelStopped, match=r"bad key \[key\].*key_env") as caught:
            next(predictions)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    trace.stack = traceback.StackSummary.from_list([frame for frame in trace.stack if frame.filename != __file__])
    assert len(trace.stack) >= 3, "the frames of the client, not this test's, which knows the key"
    shown += ["".join(trace.format())]
    shown += [str(dict(model.settings)), model.account(), caplog.text, *capfd.readouterr()]
    assert {headers["Authorization"] for headers in log.headers} == {f"Bearer {SECRET}"}
    assert SECRET not in "\n".join(shown)
    assert "you said [key]" in shown[3]


@pytest.mark.parametrize("text", ["", "  ", "short", "with a space in it", "line\nbreak-in-the-key", "schlüssel-word"])
def test_what_is_no_key_is_refused_without_being_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", text)
    with pytest.raises(ModelError, match="SOME_KEY") as caught:
        read_key("SOME_KEY")
    assert not text.strip() or text not in str(caught.value)
    assert read_key(None) is None


def test_the_environments_proxy_is_used_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: GOOD) as (address, log):
        monkeypatch.setenv("http_proxy", address.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        (prediction,) = _model("http://model.example/v1", key=Key(SECRET)).predict(questions(1, "grade"))
        assert log.paths == ["http://model.example/v1/chat/completions"]
        assert isinstance(prediction.answer, Answered)
        assert Server(address).proxy is None


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (407, "proxy.* HTTP 407.*password"),
        (403, "proxy.* HTTP 403"),
        (503, r"proxy.* HTTP 503 \(attempt 3 of 3\)"),
    ],
)
def test_a_proxy_that_lets_nothing_through_is_named_without_its_password(
    status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(lambda *_: Answer(status=status)) as (address, _):
        monkeypatch.setenv("https_proxy", address.replace("//", f"//user:{SECRET}@"))
        with pytest.raises(ModelStopped, match=message) as caught:
            list(_model("https://model.example/v1").predict(questions(1, "grade")))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "proxy", [f"user:{SECRET}@proxy.example:3128", f"socks5://u:{SECRET}@h:1", f"http://u:{SECRET}@h:x"]
)
def test_a_proxy_that_is_no_address_is_named_without_its_password(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ModelError, match="https_proxy") as caught:
        list(_model("https://model.example/v1").predict(questions(1, "grade")))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C as in a program of its own: workers of a parallel test run ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_ends_it_while_a_slow_server_is_waited_for() -> None:
    with serving(lambda *_: Answer(completion("Choice: 1"), wait_s=15)) as (address, _):
        predictions = _model(address, timeout_s=15, in_flight=4).predict(questions(20, "grade"))
        start = time.monotonic()
        Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            next(predictions)
        assert time.monotonic() - start < 5
    assert not [thread for thread in enumerate_threads() if thread.name == "asking"]


def test_it_works_where_a_loop_is_running_already() -> None:
    async def notebook(address: str) -> list[Prediction]:
        return list(_model(address).predict(questions(2, "grade")))

    with serving(lambda *_: GOOD) as (address, _):
        assert len(asyncio.run(notebook(address))) == 2


def test_wild_numbers_and_characters_do_no_harm() -> None:
    wild = completion("Choice: 1 \ud800", finish="length\udfff" + "x" * 99)
    wild["usage"] = {"prompt_tokens": 10**400, "completion_tokens": -1}
    tops = [10**400, -(10**400), float("nan"), float("inf"), "0.1", None, True]
    top = [{"token": "1", "logprob": value} for value in tops] + [None, {"token": 1}]
    places = [{"token": "1", "top_logprobs": top}, {"token": "2", "top_logprobs": 5}, 5, {"token": None}]
    wild["choices"][0]["logprobs"] = {"content": places}
    reply = read_reply(json.loads(json.dumps(wild)))
    assert (reply.text, reply.finish) == ("Choice: 1 ?", "length?" + "x" * 33)
    assert (
        reply.prompt_tokens,
        reply.answer_tokens,
        class_probability(reply, lambda _: Answered(Grade(1)), GLIOMA),
    ) == (
        None,
        None,
        None,
    )


def test_what_a_server_says_cannot_steer_the_terminal() -> None:
    fault = Answer({"error": {"message": "\x1b[2Jgone\ud800\n" + "y" * 999}}, status=400)
    with serving(lambda *_: fault) as (address, _), pytest.raises(ModelStopped) as caught:
        list(_model(address).predict(questions(1, "grade")))
    assert "\x1b" not in str(caught.value)
    assert str(caught.value).encode()
    assert len(str(caught.value)) < 600
