"""LLaVA, Gemma 3, PaliGemma and Qwen2.5-VL, tiny and random, asked and taught like the families of the package."""

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from tests.models.families import OTHER_FAMILIES
from tests.models.vlms import question

from gliobench.models.base.prediction import Question
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.tasks.geometry import Grade
from gliobench.training.finetune.collator import AnswerCollator
from gliobench.training.finetune.examples import Example

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # Of PaliGemma's own processor, with NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
CHOICES = ["Choice: 0", "Choice: 1", "Choice: 2"]
SAMPLED = Decoding(temperature=1.5, seed=3, max_new_tokens=8)
MIXED = [question(task, index) for index in range(6) for task in ("grade", "box", "centre")]


NO_TORCHVISION = pytest.mark.skipif(find_spec("torchvision") is None, reason="its processor needs torchvision")
FAMILIES = [pytest.param(name, marks=NO_TORCHVISION if "qwen" in name else ()) for name in OTHER_FAMILIES]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VisionLanguageModel:
    folder = OTHER_FAMILIES[request.param](tmp_path_factory.mktemp(request.param) / "checkpoint")
    answer = {"grade": "choice", "centre": "constrained"}
    return VisionLanguageModel(folder, tasks=("grade", "box", "centre"), answer=answer, decoding=SAMPLED)


def _logprobs(model: VisionLanguageModel, asked: Question, tokens: list[int]) -> torch.Tensor:
    """Of an answer's tokens, each generated behind those before it."""
    inputs = model._inputs([asked])
    prompt = inputs["input_ids"].shape[1]
    with torch.inference_mode():
        output = model._checkpoint.model.generate(
            **inputs,
            max_new_tokens=len(tokens),
            eos_token_id=None,
            prefix_allowed_tokens_fn=lambda _, ids: [tokens[len(ids) - prompt]],
            output_logits=True,
            return_dict_in_generate=True,
        )
    logprobs = torch.cat(output.logits).float().log_softmax(-1)
    return logprobs[range(len(tokens)), tokens]


def test_the_same_answers_at_batch_1_4_and_16(model: VisionLanguageModel) -> None:
    said, scores = [], []
    for size in (1, 4, 16):
        model._batch_size.now = size
        predictions = list(model.predict(MIXED))
        said.append([prediction.text for prediction in predictions])
        scores.append([prediction.score for prediction in predictions if prediction.score is not None])
    assert said[0] == said[1] == said[2]
    assert len(set(said[0])) > 9
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert scores[0] == pytest.approx(scores[2], abs=1e-5)


def test_choice_is_the_probability_of_the_answers_as_they_would_be_written(model: VisionLanguageModel) -> None:
    tokenizer = model._checkpoint.processor.tokenizer
    for asked in (question("grade", index) for index in range(3)):
        (prediction,) = model.predict([asked])
        tokens = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in CHOICES]
        whole = torch.stack([_logprobs(model, asked, ids).sum() for ids in tokens]).softmax(-1)
        assert prediction.score == pytest.approx(whole[1].item(), abs=1e-5)
        assert prediction.text == CHOICES[int(whole.argmax())]


def test_repeats_are_the_answers_of_asking_one_by_one(model: VisionLanguageModel) -> None:
    asked = [replace(question(task, 3), repeat=repeat) for task in ("box", "centre") for repeat in range(4)]
    alone = [prediction.text for one in asked for prediction in model.predict([one])]
    assert [prediction.text for prediction in model.predict(asked)] == alone
    assert len(set(alone)) > 4


def test_what_is_learnt_is_the_probability_of_the_answer(model: VisionLanguageModel) -> None:
    examples = [Example(question("grade", index), Grade(index % 2)) for index in range(2)]
    collator = AnswerCollator(model, examples)
    for number, example in enumerate(examples):
        with torch.inference_mode():
            loss = model._checkpoint.model(**collator([{"images": number}])).loss.item()
        tokens = collator.answer(example)
        assert model._checkpoint.processor.tokenizer.decode(tokens).strip().startswith(CHOICES[number])
        assert tokens[-1] in model._checkpoint.end_ids
        assert loss == pytest.approx(-_logprobs(model, example.question, tokens).mean().item(), rel=1e-4)
