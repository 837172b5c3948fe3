"""From a model's entry in the study file to something that answers, one line a kind."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliobench.grid.frame import Plane
from gliobench.models.baselines import BASELINES
from gliobench.models.prediction import Model
from gliobench.study.config import (
    UNTRAINED_CHECKPOINT,
    AnyModel,
    BaselineModel,
    LanguageModel,
    NetworkModel,
    ServerModel,
)
from gliobench.study.context import Context, StageError
from gliobench.tasks.prompt import Prompt, read_prompt_file


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
        prompts=own_prompts(part.prompts, part.tasks),
        modality=part.modality,
        batch_size=part.batch_size,
        dtype=part.dtype,
        revision=part.revision,
        decoding=Decoding(part.temperature, part.top_p, part.min_p, part.seed, part.max_new_tokens),
    )


def _server_model(context: Context, part: ServerModel, plane: Plane) -> Model:
    from gliobench.models.openai_client import Decoding, OpenAIModel, Prices, Server
    from gliobench.models.openai_key import read_key

    return OpenAIModel(
        Server(part.base_url, read_key(part.key_env), part.timeout_s, part.attempts),
        part.model,
        name=part.name,
        tasks=part.tasks,
        prompts=own_prompts(part.prompts, part.tasks),
        modality=part.modality,
        decoding=Decoding(part.temperature, part.top_p, 0.0, part.seed, part.max_new_tokens),
        in_flight=part.in_flight,
        guided=part.guided,
        logprobs=part.logprobs,
        limit_field=part.limit_field,
        prices=Prices(**part.prices.model_dump()) if part.prices else None,
    )


def own_prompts(path: Path | None, tasks: Sequence[str]) -> dict[str, Prompt] | None:
    """A study's own prompts for the tasks, None where it has none."""
    return {task: read_prompt_file(path, task) for task in tasks} if path else None


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
    "network": Builder(_network),
    "vlm": Builder(_language_model),
    "openai": Builder(_server_model),
}
