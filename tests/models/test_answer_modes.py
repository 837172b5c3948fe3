"""Choice is the probability of the written answers, constrained answers are answers, and neither knows its batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.vlms import FAMILIES, question, subject

from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.language.choice import Choices, choice_logprobs
from gliobench.models.language.grammar import frame_pattern
from gliobench.models.language.guided import follows
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import Grade
from gliobench.tasks.registry import TASKS

CONSTRAINED = dict.fromkeys(TASKS, "constrained")
MIXED = {"grade": "choice", "centre": "constrained", "box": "constrained"}  # polygon and mask stay free
SAMPLED = Decoding(temperature=1.5, top_p=0.95, seed=3, max_new_tokens=8)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp(request.param) / "checkpoint")


def _said(predictions: list[Prediction]) -> list[tuple[Any, ...]]:
    return [(p.question.task, p.text, p.tokens, p.finish, str(p.answer)) for p in predictions]


@pytest.mark.parametrize("decoding", [Decoding(max_new_tokens=8), SAMPLED])
def test_batches_of_1_4_and_16_give_the_same_answers_in_every_mode(folder: Path, decoding: Decoding) -> None:
    tasks = list(TASKS)
    questions = [question(tasks[n % 5], n, plane="coronal" if n % 2 else "axial", seed=1 + n // 5) for n in range(7)]
    model = VisionLanguageModel(folder, answer=MIXED, decoding=decoding)
    said, scores = [], []
    for size in (1, 4, 16):
        model._batch_size.now = size
        predictions = list(model.predict(questions))
        assert [prediction.question for prediction in predictions] == questions
        said.append(_said(predictions))
        scores.append([prediction.score for prediction in predictions if prediction.score is not None])
    assert said[0] == said[1] == said[2]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert scores[0] == pytest.approx(scores[2], abs=1e-5)


def _whole_logprob(model: VisionLanguageModel, asked: Question, text: str) -> float:
    """Of a text after a prompt: one forward pass without batch, padding and cache, all of the text's tokens counted."""
    inputs = dict(model._inputs([asked]))
    answer = torch.tensor([model._checkpoint.processor.tokenizer(text, add_special_tokens=False)["input_ids"]])
    prompt = inputs["input_ids"].shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if "cross_attention_mask" in inputs:
        mask = inputs["cross_attention_mask"]
        inputs["cross_attention_mask"] = torch.cat([mask, mask[:, -1:].expand(-1, answer.shape[1], -1, -1)], 1)
    with torch.inference_mode():
        logits = model._checkpoint.model(**inputs, use_cache=False).logits[0, prompt - 1 : -1]
    return float(logits.log_softmax(-1).gather(-1, answer[0].unsqueeze(-1)).sum())


def test_choice_is_the_probability_of_the_whole_answers(folder: Path) -> None:
    model = VisionLanguageModel(folder, tasks=("grade",), answer={"grade": "choice"}, batch_size=4)
    questions = [question("grade", index, plane="axial" if index % 2 else "sagittal") for index in range(3)]
    texts = ["Choice: 0", "Choice: 1", "Choice: 2"]
    for prediction in model.predict(questions):
        whole = torch.tensor([_whole_logprob(model, prediction.question, text) for text in texts]).exp()
        assert prediction.score == pytest.approx((whole[1] / whole.sum()).item(), abs=1e-5)
        assert prediction.text == texts[int(whole.argmax())]
        assert prediction.answer == Answered(Grade(int(whole.argmax())))
        assert (prediction.tokens, prediction.finish) == (0, "choice")


def test_answers_that_differ_in_more_than_a_token_are_scored_whole(folder: Path) -> None:
    model = VisionLanguageModel(folder)
    texts = ("low grade", "high", "none at all")
    tokenizer = model._checkpoint.processor.tokenizer
    rest = tuple(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)
    choices = Choices(texts, common=(), rest=rest)
    questions = [question("grade", 1), question("box", 2)]
    with torch.inference_mode():
        inputs = model._inputs([asked for asked in questions for _ in range(choices.copies)])
        found = choice_logprobs(model._checkpoint.model, inputs, choices)
    expected = [[_whole_logprob(model, asked, text) for text in texts] for asked in questions]
    assert found.tolist() == [pytest.approx(row, abs=1e-3) for row in expected]


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(temperature=1.5, seed=1)])
def test_nothing_malformed_comes_out_of_a_constrained_model(folder: Path, decoding: Decoding) -> None:
    small = subject("small", 7, shape=(6, 9, 11))  # a mask of few rows: random weights write all of them
    questions = [Question(small, task, small.frame("coronal", 3 + n)) for task in TASKS for n in range(3)]
    model = VisionLanguageModel(folder, answer=CONSTRAINED, decoding=decoding)
    predictions = list(model.predict(questions))
    for prediction in predictions:
        assert follows(frame_pattern(prediction.question.task, (6, 11)), prediction.text or "")
        assert isinstance(prediction.answer, Answered | Missing), prediction
        assert prediction.finish == "stop"
    if decoding.temperature:
        assert len({prediction.text for prediction in predictions}) > len(TASKS)


def test_only_a_grade_can_be_chosen(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"box: `choice` .*`constrained`"):
        VisionLanguageModel(folder, answer={"box": "choice"})
    with pytest.raises(ModelError, match=r"grade .* box"):
        VisionLanguageModel(folder, tasks=("box",), answer={"grade": "choice"})


def test_a_longer_limit_changes_no_key_of_a_constrained_answer(folder: Path) -> None:
    def settings(**options: Any) -> dict[str, Any]:
        return dict(VisionLanguageModel(folder, tasks=("box",), **options).settings)

    assert settings()["prompt_box"].endswith("limit:40")
    constrained = settings(answer={"box": "constrained"})
    assert "limit" not in constrained["prompt_box"]
    assert constrained["answer_box"] == "constrained"
    assert "answer_box" not in settings()
