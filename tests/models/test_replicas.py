"""Several servers of one model: they share the questions, and one that fails stops nothing while another answers."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.models.asked import questions
from tests.models.servers import Answer, completion, serving

from gliobench.models.base.errors import ModelStopped
from gliobench.models.server.client import OpenAIModel, Server
from gliobench.study.config.study import StudyError, read_study
from gliobench.tasks.answer import Answered, Missing

GONE = "http://127.0.0.1:9/v1"  # the port where nothing listens


def quick(address: str) -> Server:
    return Server(address, attempts=2, first_wait_s=0.01)


def slowly(text: str) -> Any:
    return lambda *_: Answer(completion(text), wait_s=0.03)


def test_questions_are_shared_and_answers_come_in_the_order_asked() -> None:
    asked = questions(60, "centre")
    with ExitStack() as stack:
        served = [stack.enter_context(serving(slowly(f"({number}, 1)"))) for number in range(3)]
        model = OpenAIModel([quick(address) for address, _ in served], "m", in_flight=4)
        predictions = list(model.predict(asked))
        loads = [(len(log.bodies), log.most_at_once) for _, log in served]
    assert [prediction.question for prediction in predictions] == asked
    assert sum(count for count, _ in loads) == 60
    assert all(count >= 10 and most <= 4 for count, most in loads), loads


def test_a_server_that_is_down_is_left_alone_while_another_one_answers() -> None:
    with serving(slowly("Choice: 1")) as (address, log):
        model = OpenAIModel([quick(GONE), quick(address)], "m", in_flight=2)
        predictions = list(model.predict(questions(20, "grade")))
    assert all(isinstance(prediction.answer, Answered) for prediction in predictions)
    assert len(log.bodies) == 20
    assert model.usage.retries <= 4, "only the questions that were in flight there were tried again"
    assert model.account().endswith(f"did not answer where another server did: {GONE}")


def test_where_all_are_down_the_run_stops_and_names_them() -> None:
    model = OpenAIModel([quick(GONE), quick("http://127.0.0.1:19/v1")], "m")
    with pytest.raises(ModelStopped, match=r"127\.0\.0\.1:9/v1, http://127\.0\.0\.1:19/v1 is down"):
        list(model.predict(questions(1, "grade")))


def test_a_question_that_no_server_answers_is_missing_and_sets_no_server_aside() -> None:
    def no_second_slice(_: int, body: dict[str, Any]) -> Answer:
        return Answer(status=500) if str(body["messages"]) == refused else Answer(completion("Choice: 1"))

    asked = questions(3, "grade")
    with serving(lambda *_: Answer(completion("Choice: 1"))) as (address, log):
        list(OpenAIModel(quick(address), "m", in_flight=1).predict(asked))
        refused = str(log.bodies[1]["messages"])
    with serving(no_second_slice) as (one, _), serving(no_second_slice) as (other, _):
        model = OpenAIModel([quick(one), quick(other)], "m", in_flight=1)
        answers = [prediction.answer for prediction in model.predict(asked)]
    assert [type(answer) for answer in answers] == [Answered, Missing, Answered]
    assert not model.usage.set_aside


def test_cached_answers_belong_to_the_first_address() -> None:
    alone, behind = OpenAIModel(quick(GONE), "m"), OpenAIModel([quick(GONE), quick("http://127.0.0.1:19/v1")], "m")
    assert behind.settings == alone.settings


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("[]", "one address, or a list of different ones"),
        ("['http://a/v1', 'http://a/v1']", "one address, or a list of different ones"),
        ("['http://a/v1', 'ftp://b/v1']", "expected an address such as"),
    ],
)
def test_addresses_that_cannot_be(tmp_path: Path, base_url: str, message: str) -> None:
    (tmp_path / "s.yaml").write_text(
        f"name: s\ntasks: [grade]\nmodels:\n  - {{kind: openai, name: m, model: m, base_url: {base_url}}}\n"
    )
    with pytest.raises(StudyError, match=message):
        read_study(tmp_path / "s.yaml")
