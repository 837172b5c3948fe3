"""Answers that cannot leave their task's format: what a server is told, in the dialect that it understands."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

Dialect = Literal["structured_outputs", "guided_regex", "regex", "json_schema"]

_NUMBER = "[0-9]{1,3}"


def task_patterns(
    row: str = _NUMBER, column: str = _NUMBER, run: str = f"{_NUMBER}-{_NUMBER}", runs: str = "*", lines: str = "*"
) -> Mapping[str, str]:
    """Each task's strict format as a regular expression, in the common part of what grammars know.

    `row`, `column`, `run`: how a row, a column, and the first and last column of a run are written. `runs`, `lines`:
    how many more runs a line of a mask may have than one, and how many more lines a mask, as a quantifier.
    """
    pair = rf"\({row}, {column}\)"
    line = rf"{row}: {run}(, {run}){runs}"
    return {
        "grade": "Choice: [012]",
        "centre": rf"({pair}|none)",
        "box": rf"(\({row}, {column}, {row}, {column}\)|none)",
        "polygon": rf"(\({pair}(, {pair}){{9,14}}\)|none)",
        "mask": rf"({line}(\n{line}){lines}|none)",
    }


PATTERNS = task_patterns()
"""The formats as a server is told them, whatever the size of the image."""

PROBE = "kx[0-9]{4}"  # nothing that a model writes by itself


def _json_schema(pattern: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "pattern": f"^{pattern}$"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        }
    }


FIELDS: Mapping[Dialect, Callable[[str], dict[str, Any]]] = {
    "structured_outputs": lambda pattern: {"structured_outputs": {"regex": pattern}},  # vLLM from 0.11 on
    "guided_regex": lambda pattern: {"guided_regex": pattern},  # older vLLM
    "regex": lambda pattern: {"regex": pattern},  # SGLang
    "json_schema": _json_schema,  # hosted APIs, llama.cpp, Ollama
}
"""The fields of a request that hold its answer to a pattern."""

assert set(FIELDS) == set(get_args(Dialect))


def unwrapped(dialect: Dialect | None, text: str) -> str:
    """What the task's parser reads: with `json_schema` the answer inside the JSON, else the text itself."""
    if dialect != "json_schema":
        return text
    try:
        content = json.loads(text)
    except ValueError:
        return text
    answer = content.get("answer") if isinstance(content, dict) else None
    return answer if isinstance(answer, str) else text


def follows(pattern: str, text: str) -> bool:
    """Whether a whole text follows a pattern."""
    return re.fullmatch(pattern, text) is not None
