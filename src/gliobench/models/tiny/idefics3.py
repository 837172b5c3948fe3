"""A tiny, random, seeded checkpoint of the real Idefics3 architecture: the image's tokens stand among the text's."""

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.configuration_idefics3 import Idefics3VisionConfig
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llama.configuration_llama import LlamaConfig

from gliobench.models.checkpoint import quiet
from gliobench.models.tiny.byte_tokenizer import byte_tokenizer

IMAGE_SIZE_PX = 128
PATCH_PX = 16
SHRINK = 2  # of each side, from patches to the image's tokens
IMAGE_TOKENS = (IMAGE_SIZE_PX // PATCH_PX // SHRINK) ** 2
HIDDEN = 128
INITIAL_SPREAD = HIDDEN**-0.5  # as for the tiny Mllama: 0.02 would drown the image
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


def write_tiny_idefics3(out: Path, seed: int = 0) -> Path:
    """Write the checkpoint (about 1 million random float32 parameters, model and processor) into the folder `out`.

    The same seed gives the same bytes. Returns `out`.
    """
    tokenizer = byte_tokenizer(SPECIAL, begin=BEGIN, end=END_OF_TURN, pad=PAD, context=CONTEXT)
    model = _random_model(tokenizer, seed)
    image_processor = Idefics3ImageProcessorPil(
        size={"longest_edge": IMAGE_SIZE_PX}, max_image_size={"longest_edge": IMAGE_SIZE_PX}, do_image_splitting=False
    )
    processor = Idefics3Processor(image_processor, tokenizer, image_seq_len=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE)
    with quiet():
        model.save_pretrained(out)
        processor.save_pretrained(out)
    return out


def _random_model(tokenizer: Any, seed: int) -> Any:
    token = tokenizer.convert_tokens_to_ids
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Idefics3ForConditionalGeneration(_config(token, len(tokenizer))).eval()
    model.generation_config = GenerationConfig(
        bos_token_id=token(BEGIN), eos_token_id=[token(END), token(END_OF_TURN)], pad_token_id=token(PAD)
    )
    return model


def _config(token: Any, vocabulary: int) -> Any:
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=token(BEGIN),
        eos_token_id=token(END_OF_TURN),
        pad_token_id=token(PAD),
        initializer_range=INITIAL_SPREAD,
    )
    vision = Idefics3VisionConfig(
        image_size=IMAGE_SIZE_PX,
        patch_size=PATCH_PX,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        initializer_range=INITIAL_SPREAD,
    )
    return Idefics3Config(
        text_config=text,
        vision_config=vision,
        scale_factor=SHRINK,
        image_token_id=token(IMAGE),
        tie_word_embeddings=False,
    )
