"""Guided decoding on a server: answers restricted to their task's format, in the server's dialect."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.tasks.base import Numbers
from gliobench.tasks.registry import task_about

Dialect = Literal["structured_outputs", "guided_regex", "regex", "json_schema"]

PROBE = "kx[0-9]{4}"  # nothing that a model writes by itself


def pattern_of(task: str, problem: Problem = GLIOMA) -> str:
    """A task's format as a server is told it, whatever the size of the image."""
    return task_about(problem, task).pattern(Numbers())


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
"""The fields of a request that restrict its answer to a pattern."""

assert set(FIELDS) == set(get_args(Dialect))


def unwrapped(dialect: Dialect | None, text: str) -> str:
    """The text for the task's parser: with `json_schema` the answer inside the JSON, else the text itself."""
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
