"""The tiny checkpoints: real architectures, the same bytes from the same seed, and an image that they can see."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Idefics3ForConditionalGeneration, MllamaForConditionalGeneration, MllamaProcessor

from gliobench.models.checkpoints.load import Checkpoint, load_checkpoint
from gliobench.models.tiny import (
    write_tiny_clip,
    write_tiny_idefics3,
    write_tiny_mllama,
    write_tiny_sam,
    write_tiny_sam2,
)
from gliobench.tasks.registry import TASKS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mllama(tmp_path_factory.mktemp("tiny") / "checkpoint", seed=0)


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Checkpoint:
    return load_checkpoint(folder, revision=None, dtype="auto", device="cpu")


@pytest.fixture(scope="module")
def idefics3(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = write_tiny_idefics3(tmp_path_factory.mktemp("tiny") / "idefics3")
    return load_checkpoint(folder, revision=None, dtype="auto", device="cpu")


@pytest.mark.parametrize(
    "write", [write_tiny_mllama, write_tiny_idefics3, write_tiny_sam, write_tiny_sam2, write_tiny_clip]
)
def test_same_seed_gives_the_same_bytes_and_another_seed_other_weights(
    write: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    torch.manual_seed(99)  # the state of the global generator must not matter, nor be changed
    state = torch.get_rng_state()
    folder, again = (write(tmp_path / name, 0) for name in ("first", "again"))
    assert torch.equal(state, torch.get_rng_state())
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert all((folder / name).read_bytes() == (again / name).read_bytes() for name in names)
    other = write(tmp_path / "other", 1)
    assert (folder / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_it_is_a_small_real_mllama_with_open_gates(loaded: Checkpoint) -> None:
    assert isinstance(loaded.model, MllamaForConditionalGeneration)
    assert isinstance(loaded.processor, MllamaProcessor)
    assert 0.5e6 < sum(parameter.numel() for parameter in loaded.model.parameters()) < 2e6
    gates = [p for name, p in loaded.model.named_parameters() if name.endswith(("attn_attn_gate", "attn_mlp_gate"))]
    assert len(gates) == 4  # two in each of the two cross-attention layers
    assert all(gate.item() == 1 for gate in gates)


def test_image_token_is_one_past_the_logits_as_in_llama_3_2(loaded: Checkpoint) -> None:
    tokenizer = loaded.processor.tokenizer
    logits = loaded.model.get_output_embeddings().out_features
    assert tokenizer.convert_tokens_to_ids("<|image|>") == logits == len(tokenizer) - 1
    assert loaded.model.get_input_embeddings().num_embeddings > logits


@pytest.mark.parametrize("text", ["Centre: [12, 7]", "Grösse é 日本 \n\t  two  spaces", "<|nothing special|>", ""])
def test_tokenizer_gives_every_text_back(loaded: Checkpoint, text: str) -> None:
    tokenizer = loaded.processor.tokenizer
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_a_prompt_is_about_a_token_a_word_and_every_digit_is_one(loaded: Checkpoint) -> None:
    tokenizer = loaded.processor.tokenizer
    for task in TASKS.values():
        tokens = tokenizer(task.prompt.text, add_special_tokens=False)["input_ids"]
        assert 1 <= len(tokens) / len(re.findall(r"\w+|[^\w\s]", task.prompt.text)) < 1.3
    assert tokenizer.tokenize("Choice: 120") == ["Choice", ":", "Ġ", "1", "2", "0"]


@pytest.mark.parametrize("shape", [(128, 128), (95, 128), (40, 48)])
def test_template_puts_one_begin_then_the_image_then_the_text(loaded: Checkpoint, shape: tuple[int, int]) -> None:
    inputs = _inputs(loaded, np.zeros(shape, np.uint8), "Where?")
    written = loaded.processor.tokenizer.decode(inputs["input_ids"][0])
    assert written == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>Where?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    assert inputs["aspect_ratio_mask"].tolist() == [[[1, 0, 0, 0]]]  # a slice is one tile of four


def test_idefics3_is_small_and_its_image_stands_among_the_text_as_16_tokens(idefics3: Checkpoint) -> None:
    assert isinstance(idefics3.model, Idefics3ForConditionalGeneration)
    assert 0.5e6 < sum(parameter.numel() for parameter in idefics3.model.parameters()) < 2e6
    inputs = _inputs(idefics3, np.zeros((95, 128), np.uint8), "Where?")
    fake = "<fake_token_around_image>"
    assert idefics3.processor.tokenizer.decode(inputs["input_ids"][0]) == (
        f"<|begin_of_text|>User:{fake}<global-img>{'<image>' * 16}{fake}Where?<end_of_utterance>\nAssistant:"
    )


@pytest.mark.parametrize("family", ["loaded", "idefics3"])
def test_another_image_gives_other_logits(family: str, request: pytest.FixtureRequest) -> None:
    loaded = request.getfixturevalue(family)
    image = np.zeros((64, 64), np.uint8)
    image[10:20, 10:20] = 255
    moved = np.roll(image, 20, axis=0)
    with torch.inference_mode():
        logits = [loaded.model(**_inputs(loaded, i, "Where?")).logits[0, -1] for i in (image, image.copy(), moved)]
    assert torch.equal(logits[0], logits[1])
    assert (logits[0] - logits[2]).abs().max() > 1e-3


def _inputs(loaded: Checkpoint, image: np.ndarray, text: str) -> dict[str, torch.Tensor]:
    content = [{"type": "image", "image": Image.fromarray(image).convert("RGB")}, {"type": "text", "text": text}]
    return loaded.processor.apply_chat_template(
        [[{"role": "user", "content": content}]],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
