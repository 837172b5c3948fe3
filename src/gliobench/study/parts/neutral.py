"""Options whose names are of gliomas, in words for every problem: `foreground` is `brain`, and `target` is `tumour`.

Study files may say either. What is kept of a study has the first names, so that fingerprints are the same.
"""

import re

from pydantic import BeforeValidator

from gliobench.cohort.problem import Problem

NEUTRAL = {"foreground": "brain", "target": "tumour"}
_SAID = {kept: said for said, kept in NEUTRAL.items()}
_OPTION = re.compile(f'("(?:preset|select|region)":)"({"|".join(_SAID)})"')

InAnyWords = BeforeValidator(lambda value: NEUTRAL.get(value, value) if isinstance(value, str) else value)


def option_words(option: str, problem: Problem) -> str:
    """What reports of a problem call an option."""
    return option if problem.body == "brain" else _SAID.get(option, option)


def json_words(text: str, problem: Problem) -> str:
    """Settings written as JSON, with `option_words`."""
    return _OPTION.sub(lambda found: f'{found[1]}"{option_words(found[2], problem)}"', text)
