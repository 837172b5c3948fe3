"""Views and reference slices given to a real model: several images a conversation, in this process and on a server."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.asked import questions, shown_image, subject
from tests.models.servers import Answer, TinyModel, completion, serving

from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.language.conversation import Shot
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.models.server.client import OpenAIModel, Server
from gliobench.models.tiny import write_tiny_mllama
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon
from gliobench.tasks.registry import TASKS

SHORT = Decoding(max_new_tokens=4)
VIEWS = [View("rgb", ticks=True), View("mosaic"), View("montage", slices=3, scale=2)]
WORDS = {"grade": "LGG or HGG?", "centre": "Where?", "box": "Which box?", "polygon": "Outline", "mask": "Pixels"}
PROMPTS = {task: replace(TASKS[task].prompt, text=text) for task, text in WORDS.items()}  # short, to be quick


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mllama(tmp_path_factory.mktemp("tiny") / "checkpoint")


def _shots(grade: int = 1) -> dict[str, list[Shot]]:
    """Two reference slices a task, the second without a tumour where the task can say so."""
    patient = replace(subject(), id="reference", content="2", image=np.ascontiguousarray(subject().image[:, ::-1]))
    frames = [patient.frame("axial", index) for index in (2, 7)]
    pixels = np.zeros(frames[0].shape, dtype=bool)
    pixels[3:9, 4:20] = True
    truth = {
        "grade": Grade(grade),
        "centre": Point(frames[0], 5.5, 11.5),
        "box": Box(frames[0], 3, 4, 8, 19),
        "polygon": Polygon(frames[0], ((3, 4), (3, 19), (8, 19), (8, 4))),
        "mask": Mask(frames[0], pixels),
    }
    return {
        task: [
            Shot(Question(patient, task, frames[0]), truth[task]),
            Shot(Question(patient, task, frames[1]), Grade(0) if task == "grade" else None),
        ]
        for task in TASKS
    }


def _said(predictions: list[Prediction]) -> list[tuple[str | None, int | None, str]]:
    return [(one.text, one.tokens, str(one.answer)) for one in predictions]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_batches_of_1_4_and_16_give_the_same_answers_after_two_shots(folder: Path, view: View) -> None:
    asked = questions(5)
    said = []
    options: dict[str, Any] = {"prompts": PROMPTS, "decoding": SHORT, "view": view, "shots": _shots()}
    for batch_size in (1, 4, 16):
        model = VisionLanguageModel(folder, batch_size=batch_size, **options)
        said.append(_said(list(model.predict(asked))))
    assert said[0] == said[1] == said[2]
    assert len({text for text, *_ in said[0]}) > 1


def test_answers_in_a_format_and_by_choice_know_the_size_as_shown(folder: Path) -> None:
    options: dict[str, Any] = {
        "prompts": PROMPTS,
        "view": View("rgb", scale=4),
        "shots": _shots(),
        "tasks": ("grade", "centre"),
        "answer": {"grade": "choice", "centre": "constrained"},
        "decoding": Decoding(temperature=3.0, seed=1),  # greedy, random weights say `none`
    }
    asked = [*questions(1, "grade"), *questions(6, "centre")]
    one, four = (list(VisionLanguageModel(folder, batch_size=size, **options).predict(asked)) for size in (1, 4))
    assert _said(one) == _said(four)
    assert isinstance(one[0].answer, Answered)
    assert 0 < (one[0].score or 0) < 1
    placed = [prediction for prediction in one[1:] if prediction.text != "none"]
    assert all(isinstance(prediction.answer, Answered) for prediction in placed), "none lies outside 160 x 192"
    assert max(int(number) for one in placed for number in re.findall(r"\d+", one.text or "")) > 47, "of 40 x 48"


def test_repeats_after_shots_are_those_of_single_calls(folder: Path) -> None:
    sampled = Decoding(temperature=1.0, seed=2, max_new_tokens=4)
    options: dict[str, Any] = {"prompts": PROMPTS, "decoding": sampled, "view": View("mosaic"), "shots": _shots()}
    (question,) = questions(1, "grade")
    asked = [replace(question, repeat=repeat) for repeat in range(4)]
    model = VisionLanguageModel(folder, batch_size=4, **options)
    together = _said(list(model.predict(asked)))
    assert together == [_said(list(model.predict([one])))[0] for one in asked]
    assert len({text for text, *_ in together}) > 1


def test_each_text_sees_the_image_before_it_and_the_padding_sees_none(folder: Path) -> None:
    model = VisionLanguageModel(folder, decoding=SHORT, shots=_shots())
    inputs = model._inputs([*questions(1, "grade"), *questions(1, "polygon")])
    assert inputs["pixel_values"].shape[:2] == (2, 3)
    image = model._checkpoint.processor.tokenizer.convert_tokens_to_ids("<|image|>")
    for ids, seen in zip(inputs["input_ids"], inputs["cross_attention_mask"], strict=True):
        places = [*(ids == image).nonzero()[:, 0].tolist(), len(ids)]
        assert len(places) == 4
        assert not seen[: places[0]].any()
        for number in range(3):
            (rows,) = seen[places[number] : places[number + 1]].any(-1).unique(dim=0)  # (tokens, images), all alike
            assert rows.tolist() == [place == number for place in range(3)]


def test_what_a_shot_shows_and_says_reaches_the_answer(folder: Path) -> None:
    def logits(shots: dict[str, list[Shot]]) -> torch.Tensor:
        model = VisionLanguageModel(folder, decoding=SHORT, shots=shots)
        with torch.inference_mode():
            return model._checkpoint.model(**model._inputs(questions(1, "grade"))).logits[0, -1]

    plain, same = logits(_shots()), logits(_shots())
    moved = {"grade": [replace(shot, question=questions(5, "grade")[4]) for shot in _shots()["grade"]]}
    assert torch.equal(plain, same)
    for other in (_shots(grade=0), moved, {}):
        assert (plain - logits(other)).abs().max() > 1e-4


def test_the_weights_are_in_memory_once_however_many_models_ask_them(folder: Path) -> None:
    one, two = (VisionLanguageModel(folder, shots=shots) for shots in (None, _shots()))
    assert one._checkpoint is two._checkpoint
    assert VisionLanguageModel(folder, dtype="bfloat16")._checkpoint is not one._checkpoint


def test_views_and_shots_are_part_of_the_settings(folder: Path) -> None:
    def settings(view: View | None = None, shots: dict[str, list[Shot]] | None = None) -> dict[str, object]:
        return dict(VisionLanguageModel(folder, view=view, shots=shots).settings)

    plain = settings()
    assert plain == settings(View(), {})
    assert {"view", "shots"}.isdisjoint(plain)
    different = [plain, settings(View("rgb")), settings(shots=_shots()), settings(shots=_shots(grade=0))]
    assert len({str(one) for one in different}) == 4
    server = Server("http://127.0.0.1:1/v1")
    remote = [dict(OpenAIModel(server, "m", shots=shots).settings) for shots in (None, _shots(), _shots(grade=0))]
    assert len({str(one) for one in remote}) == 3


def test_shots_count_for_the_length_of_a_prompt(folder: Path) -> None:
    prompts = {"box": replace(TASKS["box"].prompt, text="x" * 1500)}
    asked = questions(1, "box")
    VisionLanguageModel(folder, prompts=prompts, decoding=SHORT).predict(asked)
    with pytest.raises(ModelError, match=r"box .* 4\d\d\d tokens .* 4096"):
        VisionLanguageModel(folder, prompts=prompts, decoding=SHORT, shots=_shots()).predict(asked)


def test_a_slice_that_would_be_too_large_is_refused_before_anything_is_asked(folder: Path) -> None:
    large, server = View(scale=21), Server("http://127.0.0.1:1/v1")
    for model in (VisionLanguageModel(folder, view=large), OpenAIModel(server, "m", view=large)):
        with pytest.raises(ModelError, match=r"21 .* 840 x 1008 pixels"):
            model.predict(questions(2))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_server_is_sent_the_same_pixels_and_words(view: View) -> None:
    asked = questions(2)
    with serving(lambda *_: Answer(completion("Choice: 1"))) as (address, log):
        list(OpenAIModel(Server(address), "m", view=view, shots=_shots(), in_flight=1).predict(asked))
    for question, body in zip(asked, log.bodies, strict=True):
        shown = view.render(question)
        assert np.array_equal(shown_image(body), shown if view.coloured else shown[..., 0])
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]
        assert body["messages"][-1]["content"][1]["text"].startswith(view.words)
    assert [body["messages"][1]["content"][0]["text"] for body in log.bodies] == [
        "Choice: 1",
        "(12, 24)" if view.scale == 2 else "(6, 12)",  # of (5.5, 11.5), shown at (11.5, 23.5): halves up
    ]


def test_the_same_slices_get_the_same_answers_through_a_server(folder: Path) -> None:
    options: dict[str, Any] = {"prompts": PROMPTS, "decoding": SHORT, "view": View("rgb"), "shots": _shots()}
    local = VisionLanguageModel(folder, **options)
    asked = questions(3)
    with serving(TinyModel(local._checkpoint)) as (address, _):
        remote = OpenAIModel(Server(address), "tiny", **options)
        assert _said(list(remote.predict(asked))) == _said(list(local.predict(asked)))


def test_answers_are_brought_back_to_the_slices_own_pixels() -> None:
    (question,) = questions(1, "box")
    with serving(lambda *_: Answer(completion("(8, 12, 11, 23)"))) as (address, _):
        (prediction,) = OpenAIModel(Server(address), "m", view=View("mosaic", scale=4)).predict([question])
    assert question.frame is not None
    assert str(prediction.answer) == f"Answered(value={Box(question.frame, 2.0, 3.0, 2.0, 5.0)!r})"
