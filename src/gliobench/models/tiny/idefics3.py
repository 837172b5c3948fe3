"""A tiny, random, seeded checkpoint of the real Idefics3 architecture: the image's tokens stand among the text's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.configuration_idefics3 import Idefics3VisionConfig
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llama.configuration_llama import LlamaConfig

from gliobench.models.checkpoints.load import quiet
from gliobench.models.tiny.tokenizer import tiny_tokenizer

CONTEXT = 4096
BEGIN, END, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>"
FAKE, IMAGE, GLOBAL, END_OF_TURN = "<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>"
SPECIAL = (BEGIN, END, PAD, FAKE, GLOBAL, END_OF_TURN, IMAGE)
CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {{- message['role'] | capitalize + ':' }}
    {%- if message['content'] is string %}
        {{- ' ' + message['content'] }}
    {%- else %}
        {%- for content in message['content'] %}
            {%- if content['type'] == 'image' %}
                {{- '<image>' }}
            {%- elif content['type'] == 'text' %}
                {{- content['text'] }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<end_of_utterance>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- 'Assistant:' }}
{%- endif %}
"""


@dataclass(frozen=True)
class Size:
    """`shrink`: of each side, from the patches to the image's tokens. `hidden`, `inner`, `layers`: of the language
    model, about 1 million parameters in all as it stands."""

    image_px: int = 128
    patch_px: int = 16
    shrink: int = 2
    hidden: int = 128
    inner: int = 384
    layers: int = 4
    vision_layers: int = 3

    @property
    def image_tokens(self) -> int:
        """How many tokens stand for an image."""
        return (self.image_px // self.patch_px // self.shrink) ** 2

    @property
    def spread(self) -> float:
        """Of the random weights, as for the tiny Mllama: 0.02 would drown the image."""
        return float(self.hidden**-0.5)


def write_tiny_idefics3(out: Path, seed: int = 0, size: Size | None = None) -> Path:
    """Write the checkpoint (random float32 parameters, model and processor) into the folder `out`.

    The same seed gives the same bytes. Returns `out`.
    """
    size = size or Size()
    tokenizer = tiny_tokenizer(SPECIAL, begin=BEGIN, end=END_OF_TURN, pad=PAD, context=CONTEXT)
    model = _random_model(tokenizer, seed, size)
    side = {"longest_edge": size.image_px}
    image_processor = Idefics3ImageProcessorPil(size=side, max_image_size=side, do_image_splitting=False)
    processor = Idefics3Processor(
        image_processor, tokenizer, image_seq_len=size.image_tokens, chat_template=CHAT_TEMPLATE
    )
    with quiet():
        model.save_pretrained(out)
        processor.save_pretrained(out)
    return out


def _random_model(tokenizer: Any, seed: int, size: Size) -> Any:
    token = tokenizer.convert_tokens_to_ids
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Idefics3ForConditionalGeneration(_config(token, len(tokenizer), size)).eval()
    model.generation_config = GenerationConfig(
        bos_token_id=token(BEGIN), eos_token_id=[token(END), token(END_OF_TURN)], pad_token_id=token(PAD)
    )
    return model


def _config(token: Any, vocabulary: int, size: Size) -> Any:
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=token(BEGIN),
        eos_token_id=token(END_OF_TURN),
        pad_token_id=token(PAD),
        initializer_range=size.spread,
    )
    vision = Idefics3VisionConfig(
        image_size=size.image_px,
        patch_size=size.patch_px,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=size.vision_layers,
        num_attention_heads=4,
        initializer_range=size.spread,
    )
    return Idefics3Config(
        text_config=text,
        vision_config=vision,
        scale_factor=size.shrink,
        image_token_id=token(IMAGE),
        tie_word_embeddings=False,
    )
