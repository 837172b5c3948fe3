"""Tiny, random checkpoints of families that users bring, beside the two that the package makes itself."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    GemmaConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.configuration_gemma3 import Gemma3TextConfig
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from gliobench.models.checkpoints.load import quiet
from gliobench.models.tiny.tokenizer import tiny_tokenizer

CONTEXT, HIDDEN, IMAGE_PX, PATCH_PX = 2048, 64, 64, 16
SPREAD = HIDDEN**-0.5  # as of the package's own: 0.02 would drown the image
BEGIN, END, PAD = "<bos>", "<eos>", "<pad>"
LAYERS = {"hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "num_attention_heads": 4, "initializer_range": SPREAD}
# The turns of the published templates: LLaVA 1.5's, Gemma 3's and Qwen2.5-VL's.
LLAVA_TEMPLATE = """\
{%- for message in messages -%}
{{ message['role'] | upper + ': ' }}
{%- for content in message['content'] if content['type'] == 'image' -%}{{ '<image>\\n' }}{%- endfor -%}
{%- for content in message['content'] if content['type'] == 'text' -%}{{ content['text'] + ' ' }}{%- endfor -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'ASSISTANT:' }}{%- endif -%}
"""
GEMMA_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}
{%- for content in message['content'] -%}
{%- if content['type'] == 'image' -%}{{ '<start_of_image>' }}{%- else -%}{{ content['text'] | trim }}{%- endif -%}
{%- endfor -%}
{{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}
"""
QWEN_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- for content in message['content'] -%}
{%- if content['type'] == 'image' -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- else -%}{{ content['text'] }}{%- endif -%}
{%- endfor -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""


def write_llava(out: Path) -> Path:
    """LLaVA 1.5: a CLIP tower, a Llama, the image's tokens among the text's."""
    tokenizer = _tokenizer((PAD, BEGIN, END, "<image>"))
    vision = CLIPVisionConfig(**LAYERS, num_hidden_layers=3, image_size=IMAGE_PX, patch_size=PATCH_PX)
    text = LlamaConfig(**_text(tokenizer), num_hidden_layers=3, num_key_value_heads=2)
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=image_token)
    side = {"height": IMAGE_PX, "width": IMAGE_PX}
    images = CLIPImageProcessorPil(size={"shortest_edge": IMAGE_PX}, crop_size=side)
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    return _write(out, LlavaForConditionalGeneration, config, tokenizer, processor)


def write_gemma3(out: Path) -> Path:
    """Gemma 3, which MedGemma is: image tokens that see each other, and layers with a sliding window."""
    special = (
        PAD,
        BEGIN,
        END,
        "<start_of_turn>",
        "<end_of_turn>",
        "<start_of_image>",
        "<end_of_image>",
        "<image_soft>",
    )
    named = {"boi_token": special[5], "eoi_token": special[6], "image_token": special[7]}
    tokenizer = _tokenizer(special, end="<end_of_turn>", named=named)
    vision = SiglipVisionConfig(**LAYERS, num_hidden_layers=2, image_size=IMAGE_PX, patch_size=PATCH_PX)
    text = Gemma3TextConfig(
        **_text(tokenizer), num_hidden_layers=4, num_key_value_heads=2, sliding_window=24, sliding_window_pattern=2
    )
    ids = {f"{key}_index": tokenizer.convert_tokens_to_ids(value) for key, value in named.items()}
    config = Gemma3Config(
        vision_config=vision, text_config=text, mm_tokens_per_image=4, tie_word_embeddings=False, **ids
    )
    images = Gemma3ImageProcessorPil(size={"height": IMAGE_PX, "width": IMAGE_PX})
    processor = Gemma3Processor(images, tokenizer, chat_template=GEMMA_TEMPLATE, image_seq_length=4)
    return _write(out, Gemma3ForConditionalGeneration, config, tokenizer, processor)


def write_paligemma(out: Path) -> Path:
    """PaliGemma: no chat template, and a prompt all of whose tokens see each other."""
    tokenizer = _tokenizer((PAD, BEGIN, END))
    images = SiglipImageProcessorPil(size={"height": IMAGE_PX, "width": IMAGE_PX})
    images.image_seq_length = (IMAGE_PX // PATCH_PX) ** 2
    processor = PaliGemmaProcessor(images, tokenizer)
    vision = SiglipVisionConfig(
        **LAYERS, num_hidden_layers=2, image_size=IMAGE_PX, patch_size=PATCH_PX, vision_use_head=False
    )
    text = GemmaConfig(**_text(tokenizer), num_hidden_layers=3, num_key_value_heads=1)
    config = PaliGemmaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        projection_dim=HIDDEN,
        hidden_size=HIDDEN,
        vocab_size=len(tokenizer),
        tie_word_embeddings=False,
    )
    return _write(out, PaliGemmaForConditionalGeneration, config, tokenizer, processor)


def write_qwen(out: Path) -> Path:
    """Qwen2.5-VL: places in three dimensions, as many image tokens as the image has pixels for. Needs torchvision."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLVideoProcessor,
    )
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    image = {"vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>", "image": "<|image_pad|>"}
    named = {**image, "video": "<|video_pad|>"}
    tokenizer = _tokenizer((PAD, BEGIN, "<|im_start|>", "<|im_end|>", *named.values()), end="<|im_end|>")
    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}
    vision = {"hidden_size": HIDDEN, "intermediate_size": 2 * HIDDEN, "num_heads": 4, "depth": 3, "patch_size": 8}
    vision |= {"out_hidden_size": HIDDEN, "fullatt_block_indexes": [1], "window_size": 32}
    text = {**_text(tokenizer), "num_hidden_layers": 3, "num_key_value_heads": 2}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=text, tie_word_embeddings=False, **ids)
    images = Qwen2VLImageProcessorPil(
        size={"shortest_edge": 16**2, "longest_edge": 128**2}, patch_size=8, temporal_patch_size=2, merge_size=2
    )
    processor = Qwen2_5_VLProcessor(images, tokenizer, Qwen2VLVideoProcessor(patch_size=8), chat_template=QWEN_TEMPLATE)
    return _write(out, Qwen2_5_VLForConditionalGeneration, config, tokenizer, processor)


def _tokenizer(special: tuple[str, ...], end: str = END, named: dict[str, str] | None = None) -> Any:
    made = tiny_tokenizer(special, begin=BEGIN, end=end, pad=PAD, context=CONTEXT)
    return PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer,
        bos_token=BEGIN,
        eos_token=end,
        pad_token=PAD,
        extra_special_tokens=named or {},
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _text(tokenizer: Any) -> dict[str, Any]:
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    sizes = {"vocab_size": len(tokenizer), "head_dim": 16, "max_position_embeddings": CONTEXT}
    return {**LAYERS, **ids, **sizes, "tie_word_embeddings": False}  # tied, random weights say the last word again


def _write(out: Path, architecture: Any, config: Any, tokenizer: Any, processor: Any) -> Path:
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(0)
        model = architecture(config).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("mm_input_projection_weight"):  # Gemma 3's is made of zeros: the image would not be seen
                torch.nn.init.normal_(parameter, std=SPREAD)
        model.generation_config = GenerationConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        model.save_pretrained(out)
        processor.save_pretrained(out)
    return out


OTHER_FAMILIES = {"llava": write_llava, "gemma3": write_gemma3, "paligemma": write_paligemma, "qwen2.5-vl": write_qwen}
