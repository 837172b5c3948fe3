"""The text of a first study file, with comments on what to check."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.study.starting.choices import CT_BELOW
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import DEFAULT_TASKS

EPOCHS = 20
MOST_SLICES = 20  # of a plane, about, that each language model is asked about
FOLDS, FEWEST_FOR_FOLDS, FEW_FOLDS = 5, 20, 2


def study_text(
    file: Path,
    name: str,
    cohort: str,
    problem: Problem,
    shape: tuple[int, int, int],
    *,
    patients: int,
    classes: bool,
    masks: bool,
    described: bool,
    faults: bool,
) -> str:
    """A study file in YAML. `classes`, `masks`: whether any patient has one; `described`: whether the labels have names
    of their own; `faults`: whether there are invalid patients."""
    asked = {task for task in DEFAULT_TASKS if (classes if task == GRADE.name else masks)}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["q"] = lambda value: json.dumps(str(value), ensure_ascii=False)
    return environment.get_template("study.yaml.j2").render(
        file=file,
        name=name,
        cohort=cohort,
        problem=None if problem == GLIOMA else problem,
        ct_below=f"{CT_BELOW:g}",
        shape=shape,
        folds=FOLDS if patients >= FEWEST_FOR_FOLDS else FEW_FOLDS,
        every=max(1, shape[0] // MOST_SLICES),
        tasks=[task for task in DEFAULT_TASKS if task in asked],
        classes=classes,
        masks=masks,
        described=described,
        faults=faults,
        epochs=EPOCHS,
    )
