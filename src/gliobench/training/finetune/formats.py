"""A conversation about one slice in the formats of other fine-tuning tools: a line of JSON with the image's file."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Format = Literal["trl", "llamafactory", "unsloth"]
Line = dict[str, Any]


def _trl(image: str, asked: str, answer: str) -> Line:
    """TRL 1.x, `SFTTrainer`: conversational, with the column `images`; it puts the image before the question."""
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
        "images": [image],
    }


def _llamafactory(image: str, asked: str, answer: str) -> Line:
    """LLaMA-Factory 0.9, `formatting: sharegpt` with the tags of `dataset_info`: `<image>` stands for the image."""
    return _trl(image, f"<image>{asked}", answer)


def _unsloth(image: str, asked: str, answer: str) -> Line:
    """Unsloth, `UnslothVisionDataCollator`: the image's file is part of the question."""
    question = [{"type": "image", "image": image}, {"type": "text", "text": asked}]
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ]
    }


# By format: a function from the image's file, the question and its true answer to a line.
FORMATS: Mapping[Format, Callable[[str, str, str], Line]] = {
    "trl": _trl,
    "llamafactory": _llamafactory,
    "unsloth": _unsloth,
}


def dataset_info(files: Mapping[str, str]) -> dict[str, Any]:
    """LLaMA-Factory's `dataset_info.json`; `files`: by the name of a data set, its file of lines."""
    entry = {
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
    }
    return {name: {"file_name": file, **entry} for name, file in files.items()}
