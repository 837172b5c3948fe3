"""Options whose names are of gliomas, in words for every problem: `foreground` is `brain`, and `target` is `tumour`.

Study files may say either. What is kept of a study has the first names, so that fingerprints are the same.
"""

import json
from typing import Any

from pydantic import BeforeValidator

from gliobench.cohort.problem import Problem

NEUTRAL = {"foreground": "brain", "target": "tumour"}
OPTIONS = {"preset", "select", "region"}  # the keys that have them
_SAID = {kept: said for said, kept in NEUTRAL.items()}

InAnyWords = BeforeValidator(lambda value: NEUTRAL.get(value, value) if isinstance(value, str) else value)


def option_words(option: str, problem: Problem) -> str:
    """What reports of a problem call an option."""
    return option if problem.body == "brain" else _SAID.get(option, option)


def worded(settings: Any, problem: Problem, key: str = "") -> Any:
    """Settings (plain JSON) with `option_words`; `key`: what they are the value of."""
    match settings:
        case dict():
            return {name: worded(value, problem, name) for name, value in settings.items()}
        case list():
            return [worded(value, problem) for value in settings]
        case str() if key in OPTIONS:
            return option_words(settings, problem)
    return settings


def json_words(settings: Any, problem: Problem) -> str:
    """Settings (plain JSON) as text, with `option_words`."""
    return json.dumps(worded(settings, problem), ensure_ascii=False)
