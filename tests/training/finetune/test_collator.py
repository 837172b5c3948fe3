"""The loss is on the answer and the end of its turn alone, whatever the family and the batch."""

from pathlib import Path

import pytest
import torch
from tests.training.finetune.made import asked

from gliobench.training.finetune.collator import IGNORED, AnswerCollator
from gliobench.training.finetune.examples import Example

ENDS = {"mllama": "<|eot_id|>", "idefics3": "<end_of_utterance>"}


@pytest.mark.parametrize("family", ["idefics3", "mllama"])
def test_prompt_as_asked_then_answer_and_end_of_turn(
    family: str, checkpoints: dict[str, Path], examples: list[Example]
) -> None:
    model = asked(checkpoints[family])
    tokenizer = model.checkpoint.processor.tokenizer
    batch = AnswerCollator(model, examples)([{"images": number} for number in range(4)])
    expected = ["Choice: 0", "(", "Choice: 0", "none"]  # slice 1, then slice 2, which has no tumour
    prompts = model.inputs([example.question for example in examples[:4]])["input_ids"]
    for row, (labels, answer) in enumerate(zip(batch["labels"], expected, strict=True)):
        written = tokenizer.decode(labels[labels != IGNORED])
        assert written.startswith(answer)
        assert written.endswith(ENDS[family])
        assert written.count(ENDS[family]) == 1
        length = prompts.shape[1]
        assert torch.equal(batch["input_ids"][row, :length], prompts[row])
        assert (labels[:length] == IGNORED).all()
        behind = batch["input_ids"][row, length:][labels[length:] == IGNORED]
        assert (behind == tokenizer.pad_token_id).all()
        assert batch["attention_mask"][row, length:].tolist() == (labels[length:] != IGNORED).int().tolist()


@pytest.mark.parametrize("family", ["idefics3", "mllama"])
def test_a_batchs_loss_is_the_mean_over_its_answers_tokens(
    family: str, checkpoints: dict[str, Path], examples: list[Example]
) -> None:
    model = asked(checkpoints[family])
    collate = AnswerCollator(model, examples)
    network = model.checkpoint.model
    losses, counts = [], []
    with torch.no_grad():
        for numbers in ([0], [1], [3], [0, 1, 3]):
            batch = collate([{"images": number} for number in numbers])
            losses.append(network(**batch).loss.item())
            counts.append(int((batch["labels"] != IGNORED).sum()))
    alone = sum(loss * count for loss, count in zip(losses[:3], counts[:3], strict=True)) / sum(counts[:3])
    assert counts[3] == sum(counts[:3])
    assert losses[3] == pytest.approx(alone, rel=1e-4)
