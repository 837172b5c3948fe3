"""What a study is, without a word of where its files or patients are: `scores/study.json`, beside the tables it is
of."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from gliobench.cohort.problem import Problem
from gliobench.study.asking.oracles import marks, oracles
from gliobench.study.kinds.base import PATH_KEYS, ModelConfig
from gliobench.study.parts.base import is_folder_name
from gliobench.study.stages.predict import NOT_ASKED
from gliobench.study.state.context import Context

STRICT = ConfigDict(extra="forbid", frozen=True)
HERE = frozenset({"kind", "name", "base_url"})  # said elsewhere, or a machine of the site
OF_SPLIT = ("scheme", "test_share", "validation_share", "folds", "fold", "seed")


class ModelDescription(BaseModel):
    """One model. `settings`: what decides its answers; of a file that it is made from only that there is one.
    `prompts`: by task, where they are not the project's own. `learns`: whether patients of the study taught it."""

    model_config = STRICT

    name: str
    kind: str
    settings: dict[str, Any]
    prompts: dict[str, Any]
    learns: bool
    trivial: bool
    untrained: bool
    classical: bool
    mark: str


class StudyDescription(BaseModel):
    """A scored study. `arithmetic`: digest of the code that decides the figures of the same answers; `tested`,
    `left_out`: scans; `phantoms`: whether the patients are phantoms made by gliobench."""

    model_config = STRICT

    study: str
    problem: Problem
    region: str
    region_title: str
    tasks: tuple[str, ...]
    grid: dict[str, Any]
    slices: dict[str, Any]
    split: dict[str, Any]
    models: tuple[ModelDescription, ...]
    oracles: tuple[str, ...]
    arithmetic: str
    gliobench: str
    tested: int
    left_out: int
    phantoms: bool


def describe(context: Context, arithmetic: str) -> StudyDescription:
    """The study of a context, as it is scored."""
    study = context.study
    written, marked = study.model_dump(mode="json"), marks(study)
    return StudyDescription(
        study=study.name,
        problem=study.problem,
        region=study.asked_region.key,
        region_title=study.asked_region.title,
        tasks=study.tasks,
        grid={"preset": study.grid.preset, "shape": list(study.grid.shape), "windows": study.grid.windows is not None},
        slices=written["slices"],
        split={key: written["split"][key] for key in OF_SPLIT},
        models=tuple(_model(context, config, marked.get(config.name, "")) for config in study.models),
        oracles=tuple(oracles(study)),
        arithmetic=arithmetic,
        gliobench=version("gliobench"),
        tested=len(context.tested),
        left_out=len(context.left_out),
        phantoms=all(id.startswith("Phantom") for id in context.subjects),
    )


def _model(context: Context, config: ModelConfig, mark: str) -> ModelDescription:
    kept = config.model_dump(mode="json", exclude=(NOT_ASKED - {"aggregate"}) | config.OPERATION | HERE)
    prompts = config.prompts_of(context.study.asked_region)
    learns = config.verb is not None or config.classical or config.leaves_validation_out or config.learns_aggregate
    return ModelDescription(
        name=config.name,
        kind=config.kind,
        settings=dict(_settings(kept)),
        prompts={task: vars(prompt) for task, prompt in prompts.items()},
        learns=learns or bool(kept.get("shots")),
        trivial=config.trivial,
        untrained=config.untrained,
        classical=config.classical,
        mark=mark,
    )


def _settings(written: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in written.items():
        if key in PATH_KEYS:
            yield key, value is not None
        elif isinstance(value, str) and (is_folder_name(value) or "://" in value):
            yield key, Path(value).name
        else:
            yield key, value
