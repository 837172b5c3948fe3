"""A tiny, random, seeded checkpoint of the real Mllama architecture (Llama-3.2-Vision).

Tables with its answers call it `UNTRAINED`.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaProcessor,
)
from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

from gliobench.models.checkpoints.load import quiet
from gliobench.models.tiny.tokenizer import tiny_tokenizer

UNTRAINED = "tiny-mllama (untrained)"

IMAGE_SIZE_PX = 128  # a study slice (at most 128 x 128) is one tile, as it is one tile of the real model's 560 px
MAX_TILES = 4
HIDDEN = 128
# The library's 0.02 suits thousands of channels; here it would hide the image, and all slices get the same answer.
INITIAL_SPREAD = HIDDEN**-0.5
CONTEXT = 4096
BEGIN, END, END_OF_TURN, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|finetune_right_pad_id|>"
IMAGE = "<|image|>"  # the last of the tokens: its id is the number of logits
SPECIAL = (BEGIN, END, PAD, "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", END_OF_TURN, "<|python_tag|>")
CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {%- if message['content'] is string %}
        {{- message['content'] }}
    {%- else %}
        {%- for content in message['content'] %}
            {%- if content['type'] == 'image' %}
                {{- '<|image|>' }}
            {%- elif content['type'] == 'text' %}
                {{- content['text'] }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""


def write_tiny_mllama(out: Path, seed: int = 0) -> Path:
    """Write the checkpoint (about 1.4 million random float32 parameters, model and processor) into the folder `out`.

    The same seed gives the same bytes. Returns `out`.
    """
    tokenizer = tiny_tokenizer((*SPECIAL, IMAGE), begin=BEGIN, end=END_OF_TURN, pad=PAD, context=CONTEXT)
    model = _random_model(tokenizer, seed)
    image_processor = MllamaImageProcessorPil(
        size={"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}, max_image_tiles=MAX_TILES
    )
    processor = MllamaProcessor(image_processor, tokenizer, chat_template=CHAT_TEMPLATE)
    with quiet():
        model.save_pretrained(out)
        processor.save_pretrained(out)
    return out


def _random_model(tokenizer: Any, seed: int) -> Any:
    token = tokenizer.convert_tokens_to_ids
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MllamaForConditionalGeneration(_config(token)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # The gates start closed (0): the model would not see the image, and could not learn to.
            if name.endswith(("cross_attn_attn_gate", "cross_attn_mlp_gate")):
                parameter.fill_(1)
    model.generation_config = GenerationConfig(
        bos_token_id=token(BEGIN), eos_token_id=[token(END), token(END_OF_TURN)], pad_token_id=token(PAD)
    )
    return model


def _config(token: Any) -> Any:
    text = MllamaTextConfig(
        vocab_size=token(IMAGE),
        hidden_size=HIDDEN,
        intermediate_size=384,
        num_hidden_layers=5,
        cross_attention_layers=[1, 3],
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=token(BEGIN),
        eos_token_id=token(END_OF_TURN),
        pad_token_id=token(PAD),
        initializer_range=INITIAL_SPREAD,
    )
    vision = MllamaVisionConfig(
        image_size=IMAGE_SIZE_PX,
        patch_size=16,
        max_num_tiles=MAX_TILES,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_global_layers=1,
        attention_heads=4,
        intermediate_layers_indices=[0, 2],
        initializer_range=INITIAL_SPREAD,
        vision_output_dim=64 * 3,  # the last layer and the two above, side by side
    )
    return MllamaConfig(text_config=text, vision_config=vision, image_token_index=token(IMAGE))
