"""A model behind a real HTTP server: the answers are those of the same model in this process."""

import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.asked import questions, shown_image, subject
from tests.models.servers import Answer, TinyModel, completion, serving

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.slices import grey_slice
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import read_answer
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.models.server.client import Decoding, OpenAIModel, Prices, Server
from gliobench.models.server.reply import class_probability, read_reply
from gliobench.models.tiny import UNTRAINED, write_tiny_mllama
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answer as TypedAnswer
from gliobench.tasks.answer import Answered, Refused, Truncated
from gliobench.tasks.geometry import Grade

SHORT = Decoding(max_new_tokens=12)
SAMPLED_MIN_P = Decoding(temperature=1.5, min_p=0.1)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> VisionLanguageModel:
    folder = write_tiny_mllama(tmp_path_factory.mktemp("tiny") / "checkpoint")
    return VisionLanguageModel(folder, name=UNTRAINED, decoding=SHORT, batch_size=4)


@pytest.fixture(scope="module")
def tiny_server(in_process: VisionLanguageModel) -> Iterator[str]:
    with serving(TinyModel(in_process._checkpoint)) as (address, _):
        yield address


def test_the_same_slices_get_the_same_answers_through_a_server(
    tiny_server: str, in_process: VisionLanguageModel
) -> None:
    asked = questions(10)
    remote = list(OpenAIModel(Server(tiny_server), "tiny", decoding=SHORT, in_flight=4).predict(asked))
    local = list(in_process.predict(asked))
    for there, here in zip(remote, local, strict=True):
        assert (there.question, there.text, there.tokens, there.finish, str(there.answer)) == (
            *(here.question, here.text, here.tokens, here.finish),
            str(here.answer),
        )
    assert len({prediction.text for prediction in local}) > 1


def test_guided_answers_keep_the_format_and_grades_are_scored_by_their_probabilities(
    tiny_server: str, in_process: VisionLanguageModel
) -> None:
    asked = [*questions(3, "grade"), *questions(2, "box")]
    model = OpenAIModel(Server(tiny_server), "tiny", guided="structured_outputs", logprobs=True)
    predictions = list(model.predict(asked))
    assert all(prediction.answer for prediction in predictions)
    for prediction in predictions[:3]:
        assert isinstance(prediction.answer, Answered)
        p0, p1, p2 = _choice_probabilities(in_process, prediction.question)
        assert prediction.score == pytest.approx(p1 / (p0 + p1 + p2), rel=1e-4)
    for prediction in predictions[3:]:
        assert prediction.score is None
        assert re.fullmatch(r"\(\d+, \d+, \d+, \d+\)|none", prediction.text or "")


def _choice_probabilities(model: VisionLanguageModel, question: Question) -> list[float]:
    """The probabilities of 0, 1 and 2 after the forced text `Choice: `, by one forward pass without a server."""
    inputs = dict(model._inputs([question]))
    tokenizer, network = model._checkpoint.processor.tokenizer, model._checkpoint.model
    letters = [token for letter in "Choice: " for token in tokenizer(letter, add_special_tokens=False)["input_ids"]]
    forced = torch.tensor([letters])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], forced], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    cross = inputs["cross_attention_mask"]
    inputs["cross_attention_mask"] = torch.cat([cross, cross[:, -1:].expand(-1, forced.shape[1], -1, -1)], 1)
    with torch.inference_mode():
        chances = network(**inputs).logits[0, -1].softmax(-1)
    return [chances[tokenizer.convert_tokens_to_ids(digit)].item() for digit in "012"]


def test_scores_by_hand() -> None:
    def place(token: str, **top: float) -> dict[str, Any]:
        return {
            "token": token,
            "logprob": 0.0,
            "top_logprobs": [{"token": key.replace("_", " "), "logprob": math.log(p)} for key, p in top.items()],
        }

    written = [place("Choice", x=1.0), place(":", x=1.0), place(" 1", **{"_1": 0.5, "1": 0.1, "0": 0.3, "_2": 0.1})]
    only_hgg = [place("2", **{"2": 0.4, "7": 0.6})]
    said = {3: ("Choice: 1", written), 4: ("2", only_hgg), 5: ("Choice: 1", []), 6: ("HGG", [place("HGG", HGG=1.0)])}

    def answer(_: int, body: dict[str, Any]) -> Answer:
        image = shown_image(body)
        for index, (text, places) in said.items():
            if np.array_equal(image, grey_slice(subject(), "flair", "axial", index)):
                return Answer(completion(text, logprobs={"content": places} if places else None))
        return Answer(completion("0", logprobs={"content": written}))  # the black slice that tries it out

    with serving(answer) as (address, _):
        model = OpenAIModel(Server(address), "m", logprobs=True)
        predictions = list(model.predict(questions(7, "grade")[3:]))
    assert [p.score for p in predictions] == [pytest.approx(0.6), 0.0, None, None]


@pytest.mark.parametrize(
    ("tokens", "score"),
    [
        (["High", " Grade", " Glioma", ".", " Bright", " on", " T", "2", "."], None),
        (["HGG", ",", " with", " ", "2", " foci"], None),
        (["Choice", ":", " Low", " Grade", ".", " Lesion", " ", "1", " is", " dim"], None),
        (["Choice", ":", " 1", "\n", *[" T", "2", " and", " ", "1", " ring"] * 900], 0.9),
        (["T", "2", " is", " bright", ".", " HGG", " (", "1", ")"], 0.9),  # a clause that is a grade and nothing else
        (["HGG", " (", "1", ")", "\n", "T", "2", " is", " bright"], 0.9),
        (["The", " answer", " is", " ", "1", ",", " bright", " on", " T", "2"], 0.9),
        (["Choice", ":", " **", "1", "**", "<|eot_id|>"], 0.9),
        (["1", "<|eot_id|>"], 0.9),
        (["Is", " it", " 0", "?", " No", ".", "</think>", "Choice", ":", " 1"], 0.9),
        (["Choice", ":", " ", "1", "\n", "Choice", ":", " ", "0"], None),  # two answers are none
    ],
)
def test_a_digit_that_is_not_the_answer_gives_no_score(tokens: list[str], score: float | None) -> None:
    text = "".join(tokens).removesuffix("<|eot_id|>").rpartition("</think>")[2]
    top = [{"token": "1", "logprob": math.log(0.9)}, {"token": "0", "logprob": math.log(0.1)}]
    places = [{"token": token, "top_logprobs": top if token.strip() in ("0", "1", "2") else []} for token in tokens]
    reply = read_reply(completion(text, logprobs={"content": places}))
    (question,) = questions(1, "grade")
    readings: list[str] = []

    def read(text: str) -> TypedAnswer:
        readings.append(text)
        return read_answer(question, text, False, View())

    assert class_probability(reply, read, GLIOMA) == (score and pytest.approx(score))
    assert len(readings) <= 13, "a reading takes time: 1801 digits are halved, not tried one by one"


def test_the_request_is_what_the_interface_asks_for() -> None:
    with serving(lambda *_: Answer(completion("(1, 2, 3, 4)"))) as (address, log):
        model = OpenAIModel(
            Server(address + "/"), "served-name", decoding=Decoding(temperature=0.5, top_p=0.9, seed=7), in_flight=1
        )
        (prediction, other) = model.predict(questions(3)[2:3] + questions(14)[12:13])
    body = log.bodies[0]
    content = body["messages"][0]["content"]
    assert log.paths == ["/v1/chat/completions"] * 2
    assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("served-name", 0.5, 0.9, 40)
    assert 0 <= body["seed"] < 2**31
    assert body["seed"] != log.bodies[1]["seed"]
    assert content[1]["text"].startswith("This is one slice of a brain MRI, 40 rows by 48 columns of pixels.")
    assert np.array_equal(shown_image(body), grey_slice(subject(), "flair", "axial", 2))
    assert "Authorization" not in log.headers[0]
    assert {"logprobs", "response_format"}.isdisjoint(body)
    assert isinstance(prediction.answer, Answered)
    assert other.question.repeat == 1


def test_json_schema_wraps_the_pattern_and_the_answer_is_unwrapped() -> None:
    def answer(_: int, body: dict[str, Any]) -> Answer:
        pattern = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["pattern"]
        return Answer(completion(json.dumps({"answer": "kx0042" if "kx" in pattern else "Choice: 0"})))

    with serving(answer) as (address, log):
        (prediction,) = OpenAIModel(Server(address), "m", guided="json_schema").predict(questions(1, "grade"))
    assert prediction.answer == Answered(Grade(0))
    assert prediction.text == '{"answer": "Choice: 0"}'
    assert [body["max_tokens"] for body in log.bodies] == [32, 16 + 16]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"guided": "guided_regex"}, "`guided: guided_regex`.* 'Choice: 1'"),
        ({"logprobs": True}, "`logprobs`"),
    ],
)
def test_a_server_that_passes_over_what_it_does_not_know_is_found_out(options: dict[str, Any], found: str) -> None:
    with serving(lambda *_: Answer(completion("Choice: 1"))) as (address, log):
        with pytest.raises(ModelError, match=found):
            list(OpenAIModel(Server(address), "m", **options).predict(questions(5, "grade")))
        assert len(log.bodies) == 1


def test_answers_come_in_the_order_asked_and_no_more_are_in_flight_than_allowed() -> None:
    def answer(number: int, _: dict[str, Any]) -> Answer:
        return Answer(completion(f"({number}, 1)"), wait_s=0.15 if number % 5 == 0 else 0.02)

    asked = questions(60, "centre")
    with serving(answer) as (address, log):
        predictions = list(OpenAIModel(Server(address), "m", in_flight=6).predict(asked))
    assert [prediction.question for prediction in predictions] == asked
    assert 2 <= log.most_at_once <= 6
    assert len(log.bodies) == 60


def test_questions_run_ahead_of_the_caller_only_so_far() -> None:
    with serving(lambda *_: Answer(completion("(1, 1)"))) as (address, log):
        predictions = OpenAIModel(Server(address), "m", in_flight=3).predict(questions(60, "centre"))
        next(predictions)
        for _ in range(100):
            if len(log.bodies) >= 6:
                break
            time.sleep(0.02)
        time.sleep(0.1)
        assert len(log.bodies) <= 2 * 3 + 3  # asked for, not all 60
        predictions.close()  # type: ignore[attr-defined]


def test_what_the_server_says_is_typed() -> None:
    said = [
        completion("Choice: 1") | {"choices": [completion("Cho", "length")["choices"][0]]},
        {"choices": [{"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]},
        {"choices": [{"message": {"content": [{"type": "text", "text": "Choice: 1"}]}, "finish_reason": "stop"}]},
    ]
    with serving(lambda number, _: Answer(said[number])) as (address, _):
        model = OpenAIModel(Server(address), "m", in_flight=1, prices=Prices(prompt=2.5, answer=10.0))
        cut, refused, filtered, parts = model.predict(questions(4, "grade"))
    assert isinstance(cut.answer, Truncated)
    assert cut.finish == "length"
    assert refused.answer == Refused("I will not.")
    assert isinstance(filtered.answer, Refused)
    assert parts.answer == Answered(Grade(1))
    # one reply of four counted: 100 prompt tokens at 2.50 and 4 answer tokens at 10 a million
    assert model.account() == (
        "m: 4 replies, 0 attempts repeated, 100 prompt and 4 answer tokens, 0.0003 USD at the study file's prices; "
        "the server did not count the tokens of 3 replies"
    )


def test_settings_hold_what_changes_an_answer_and_nothing_of_how_it_is_fetched() -> None:
    def settings(server: Server | None = None, **options: Any) -> dict[str, Any]:
        return dict(OpenAIModel(server or Server("http://127.0.0.1:1/v1"), "m", **options).settings)

    plain = settings()
    assert plain == settings(in_flight=3, name="other", prices=Prices(1, 2), limit_field="max_completion_tokens")
    assert plain == settings(Server("http://127.0.0.1:1/v1", timeout_s=3, attempts=2))
    others = [
        settings(Server("http://127.0.0.1:2/v1")),
        settings(view=View(modalities=("t2",))),
        settings(guided="regex"),
        settings(logprobs=True),
        settings(decoding=SHORT),
    ]
    assert all(other != plain for other in others)
    assert json.loads(json.dumps(plain)) == plain


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://host/v1", "expected an address such as"),
        ("127.0.0.1:8000/v1", "expected an address such as"),
        ("http://[::1/v1", "expected an address such as"),
        ("http://host:80000/v1", "expected an address such as"),
        ("http://two words/v1", "expected an address such as"),
        ("http://host:port/v1", "expected an address such as"),
        ("http://me:secret-word@[host/v1", "expected an address such as"),
        ("http://me:secret-word@host/v1", "holds more than an address"),
        ("http://host/v1?api-key=secret-word", "holds more than an address"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        Server(address)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://a..b/v1", "http://1.2.3.4.5/v1"])
def test_a_host_that_can_be_none_is_no_server_that_is_down(address: str) -> None:
    with pytest.raises(ModelError, match=re.escape(address)):
        list(OpenAIModel(Server(address, first_wait_s=0.01), "m").predict(questions(1, "grade")))


def test_top_k_and_min_p_are_sent_where_they_are_set_and_count_in_the_key() -> None:
    def asked(decoding: Decoding) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        with serving(lambda *_: Answer(completion("Choice: 1"))) as (address, log):
            model = OpenAIModel(Server(address), "m", in_flight=1, decoding=decoding)
            (prediction,) = model.predict(questions(1, "grade"))
        assert prediction.answer == Answered(Grade(1))
        settings = dict(model.settings)
        del settings["server"]
        return log.bodies, settings

    study, key = asked(Decoding(temperature=1.5, min_p=0.1))  # the reference study's
    assert [(body["temperature"], body.get("min_p")) for body in study] == [(2.0, 1.0)] * 3 + [(1.5, 0.1)]
    assert "top_k" not in study[-1]
    both, other_key = asked(Decoding(temperature=1.0, top_k=40, min_p=0.1))
    assert (both[-1]["top_k"], both[-1]["min_p"], len(both)) == (40, 0.1, 7)
    assert key["min_p"] == other_key["min_p"] == 0.1
    assert other_key["top_k"] == 40
    greedy, _ = asked(Decoding(top_k=40, min_p=0.1))
    assert len(greedy) == 1
    assert not {"top_k", "min_p"} & greedy[0].keys()


def test_a_server_that_passes_over_top_k_or_refuses_it_is_named() -> None:
    for decoding, field in ((Decoding(temperature=1, top_k=5), "top_k"), (SAMPLED_MIN_P, "min_p")):
        with serving(lambda number, _: Answer(completion(f"words {number}"))) as (address, log):
            model = OpenAIModel(Server(address), "m", in_flight=1, decoding=decoding)
            with pytest.raises(ModelError, match=f"`{field}`"):
                list(model.predict(questions(1, "grade")))
        assert len(log.bodies) == 3
        refusal = Answer({"error": {"message": f"Unrecognized request argument supplied: {field}"}}, status=400)
        with serving(lambda *_, said=refusal: said) as (address, log):
            model = OpenAIModel(Server(address), "m", in_flight=1, decoding=decoding)
            with pytest.raises(ModelError, match=f"`{field}`: HTTP 400"):
                list(model.predict(questions(1, "grade")))
        assert len(log.bodies) == 1


def test_wrong_options() -> None:
    server = Server("http://127.0.0.1:1/v1")
    for options, message in [
        ({"tasks": ("volume",)}, "volume"),
        ({"in_flight": 0}, "in_flight .* 0"),
    ]:
        with pytest.raises(ModelError, match=message):
            OpenAIModel(server, "m", **options)  # type: ignore[arg-type]
    only = OpenAIModel(server, "m", tasks=("grade",))
    with pytest.raises(ModelError, match=r"m .*'box'.* grade"):
        only.predict(questions(1, "box"))
    assert list(only.predict([])) == []
