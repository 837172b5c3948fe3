"""Repeats of one question: the answers of asking one by one, from an image that is encoded once."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.models.vlms import FAMILIES, question

from gliobench.models.language.repeats import SharedPrompt, can_share
from gliobench.models.language.shared_attention import sharing
from gliobench.models.language.vlm import Decoding, VisionLanguageModel

SAMPLED = Decoding(temperature=1.5, seed=3, max_new_tokens=8)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VisionLanguageModel:
    folder = FAMILIES[request.param](tmp_path_factory.mktemp(request.param) / "checkpoint")
    return VisionLanguageModel(folder, answer={"box": "constrained"}, decoding=SAMPLED)


def _images_seen(model: VisionLanguageModel, seen: list[int]) -> Any:
    """Count, call by call, the images that go through the vision tower."""
    tower = model._checkpoint.model.model.vision_model
    return tower.register_forward_hook(
        lambda _module, args, kwargs, _output: seen.append(len(args[0] if args else kwargs["pixel_values"])),
        with_kwargs=True,
    )


@pytest.mark.parametrize("task", ["grade", "box"])
def test_repeats_are_the_answers_of_asking_one_by_one_and_the_image_is_encoded_once(
    model: VisionLanguageModel, task: str
) -> None:
    first, other = question(task, 3), question(task, 4)
    asked = [other, *(replace(first, repeat=repeat) for repeat in range(6)), replace(other, repeat=1)]
    alone = [prediction for one in asked for prediction in model.predict([one])]
    list(model.predict(asked[1:3]))  # the first time, whether it works is tried out
    seen: list[int] = []
    hook = _images_seen(model, seen)
    model._batch_size.now = 4  # 6 repeats are two batches
    together = list(model.predict(asked))
    model._batch_size.now = 16
    hook.remove()
    assert seen == [1, 1, 1]  # one slice, six repeats of another, one slice
    assert [p.question for p in together] == asked
    assert [(p.text, p.tokens, p.finish) for p in together] == [(p.text, p.tokens, p.finish) for p in alone]
    assert len({p.text for p in together[1:7]}) > 2


def test_generating_leaves_the_shared_prompt_as_it_was(model: VisionLanguageModel) -> None:
    network = model._checkpoint.model
    with torch.inference_mode():
        shared = SharedPrompt(network, model._inputs([question("grade", 3)]))
        copies = [shared.copies(2, room=5) for _ in range(2)]
        with sharing(network):
            first, second = (network.generate(**inputs, do_sample=False, max_new_tokens=5) for inputs in copies)
    assert torch.equal(first, second)


def test_a_model_whose_cache_does_not_hold_all_of_a_prompt_is_asked_the_plain_way(
    model: VisionLanguageModel, caplog: pytest.LogCaptureFixture
) -> None:
    network, inputs = model._checkpoint.model, model._inputs([question("grade", 3)])
    with torch.inference_mode():
        assert can_share(network, inputs)
        embeddings = network.get_input_embeddings()
        # Stands for a family that adds to its prompt what only a whole prompt brings: longer inputs are shifted.
        hook = embeddings.register_forward_hook(lambda _m, args, out: out + (args[0].shape[1] > 1))
        assert not can_share(network, inputs)
        hook.remove()
    assert "gives other logits" in caplog.text
