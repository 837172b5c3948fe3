"""From a model's entry in the study file to something that answers, one line a kind."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gliobench.grid.frame import Plane
from gliobench.models.baselines import BASELINES
from gliobench.models.prediction import Model
from gliobench.study.config import (
    UNTRAINED_CHECKPOINT,
    AnyModel,
    BaselineModel,
    ClassicalModel,
    LanguageModel,
    NetworkModel,
)
from gliobench.study.context import Context, StageError
from gliobench.tasks.prompt import read_prompt_file


@dataclass(frozen=True)
class Builder:
    """How a kind of model is built; `every_plane`: anew for each plane, because it learns from slices of one."""

    build: Callable[[Context, Any, Plane], Model]
    every_plane: bool = False


def build_model(context: Context, part: AnyModel, plane: Plane) -> Model:
    """The model of a study's entry, ready to answer about slices of `plane`."""
    return BUILDERS[part.kind].build(context, part, plane)


def _baseline(context: Context, part: BaselineModel, plane: Plane) -> Model:
    if part.name not in BASELINES:
        raise StageError(f"no baseline is named {part.name!r}; there are {', '.join(BASELINES)}")
    return BASELINES[part.name]([context.subjects[id] for id in context.fold.train], plane)


def _classical(context: Context, part: ClassicalModel, plane: Plane) -> Model:
    from gliobench.models.classical.grade import fit_grader

    train, validation = ([context.subjects[id] for id in ids] for ids in (context.fold.train, context.fold.validation))
    return fit_grader(part.name, part.region, train, validation)


def _network(context: Context, part: NetworkModel, plane: Plane) -> Model:
    from gliobench.models.trained import load_network

    folder = context.folder.network(part.name)
    if not context.folder.stamp(f"train-{part.name}").exists():
        raise StageError(f"{part.name} is not trained yet: run `gliobench train --model {part.name}` first")
    return load_network(folder)


def _language_model(context: Context, part: LanguageModel, plane: Plane) -> Model:
    from gliobench.models.transformers_vlm import Decoding, VisionLanguageModel

    return VisionLanguageModel(
        name=part.name,
        checkpoint=checkpoint_folder(context, part.checkpoint),
        tasks=part.tasks,
        prompts={task: read_prompt_file(part.prompts, task) for task in part.tasks} if part.prompts else None,
        modality=part.modality,
        batch_size=part.batch_size,
        dtype=part.dtype,
        revision=part.revision,
        decoding=Decoding(part.temperature, part.top_p, part.min_p, part.seed, part.max_new_tokens),
    )


def checkpoint_folder(context: Context, checkpoint: str) -> str:
    """A folder or hub id; `tiny-mllama` is made on the spot."""
    from gliobench.models.tiny import write_tiny_mllama

    if checkpoint != UNTRAINED_CHECKPOINT:
        return checkpoint
    folder = context.folder.root / "checkpoints" / checkpoint
    if not folder.exists():
        partial = folder.with_name(f".{checkpoint}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        write_tiny_mllama(partial).rename(folder)  # whole or not at all: a run can be killed here too
    return str(folder)


BUILDERS: Mapping[str, Builder] = {
    "baseline": Builder(_baseline, every_plane=True),
    "classical": Builder(_classical),
    "network": Builder(_network),
    "vlm": Builder(_language_model),
}
