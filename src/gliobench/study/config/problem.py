"""The problem of a study, where there is no study: by its name, or by a study file that has it."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gliobench.cohort.problem import GLIOMA, PROBLEMS, Problem
from gliobench.study.config.study import StudyError, mistake, read_file
from gliobench.study.parts.problem import ProblemConfig


def read_problem(named: str) -> Problem:
    """The problem of this name, or the one under `problem:` of a study file. Raises StudyError."""
    if named in PROBLEMS:
        return PROBLEMS[named]
    path = Path(named)
    if not path.exists():
        raise StudyError(
            f"--problem {named}: neither a problem ({', '.join(PROBLEMS)}) nor a study file; write a problem of your "
            "own under the key `problem:` of a file (docs/problems.md)"
        )
    file = read_file(path)
    found = file.content.get("problem", GLIOMA) if isinstance(file.content, dict) else file.content
    try:
        problem: Problem = TypeAdapter(ProblemConfig).validate_python(found)
    except ValidationError as error:
        details = [{**detail, "loc": ("problem", *detail["loc"])} for detail in error.errors()]
        raise StudyError("\n".join(mistake(path, file.lines, detail) for detail in details)) from None
    return problem
