"""Answers that cannot leave their task's format: what a server is told, in the dialect that it understands."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

Dialect = Literal["structured_outputs", "guided_regex", "regex", "json_schema"]

_PAIR = r"\([0-9]{1,3}, [0-9]{1,3}\)"
_RUN = "[0-9]{1,3}-[0-9]{1,3}"
_ROW = rf"[0-9]{{1,3}}: {_RUN}(, {_RUN})*"
PATTERNS: Mapping[str, str] = {
    "grade": "Choice: [012]",
    "centre": rf"({_PAIR}|none)",
    "box": r"(\([0-9]{1,3}, [0-9]{1,3}, [0-9]{1,3}, [0-9]{1,3}\)|none)",
    "polygon": rf"(\({_PAIR}(, {_PAIR}){{9,14}}\)|none)",
    "mask": rf"({_ROW}(\n{_ROW})*|none)",
}
"""Each task's strict format as a regular expression, in the common part of what the servers' grammars know."""

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
