"""The key `problem:` of a study file: what the study is about, by name or written out."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from gliobench.cohort.problem import PROBLEMS, Problem


def _named(value: Any) -> Any:
    """A built-in problem by its name; or one as a base, with keys of its own."""
    if isinstance(value, str):
        if value not in PROBLEMS:
            raise ValueError(f"no problem is named {value!r}; there are {', '.join(PROBLEMS)}, or write it out")
        return PROBLEMS[value]
    return value


ProblemConfig = Annotated[Problem, BeforeValidator(_named)]
