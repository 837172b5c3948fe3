"""The tokenizer of the tiny language models: words of the tasks' prompts, digits, bytes, and a family's own tokens."""

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from gliobench.tasks.registry import TASKS

MOST_TOKENS = 600


def tiny_tokenizer(special: Sequence[str], *, begin: str, end: str, pad: str, context: int) -> Any:
    """Up to `MOST_TOKENS` tokens trained on the tasks' prompts, then `special` in their order; `begin` is put before
    every text. `context`: the most tokens.

    A prompt is about as many tokens as it would be for a real model. Every digit is one, as most real models have it;
    text that is in no prompt is encoded as bytes.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MOST_TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([task.prompt.text for task in TASKS.values()], trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=end,
        pad_token=pad,
        additional_special_tokens=list(special),
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
