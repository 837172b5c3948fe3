"""From a model's entry in the study file to something that answers, one line a kind."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliobench.grid.frame import Plane
from gliobench.models.baselines import BASELINES
from gliobench.models.prediction import Grader, Model
from gliobench.models.shown import Shown
from gliobench.models.trained import DESCRIPTION
from gliobench.study.config import (
    UNTRAINED_CHECKPOINT,
    AnyModel,
    BaselineModel,
    ClassicalModel,
    LanguageModel,
    NetworkModel,
    ServerModel,
    TogetherModel,
)
from gliobench.study.context import Context, Round, StageError
from gliobench.study.shown import shown
from gliobench.tasks.prompt import Prompt, read_prompt_file


@dataclass(frozen=True)
class Builder:
    """How a kind of model is built. `learns`: anew for each round, because it learns from the round's patients, and for
    each plane, because it may learn from slices of one."""

    build: Callable[[Context, Any, Round, Plane], Model]
    learns: bool = True


def build_model(context: Context, part: AnyModel, round: Round, plane: Plane) -> Model:
    """The model of a study's entry, ready to answer about the round's patients and slices of `plane`."""
    return BUILDERS[part.kind].build(context, part, round, plane)


def _baseline(context: Context, part: BaselineModel, round: Round, plane: Plane) -> Model:
    if part.name not in BASELINES:
        raise StageError(f"no baseline is named {part.name!r}; there are {', '.join(BASELINES)}")
    return BASELINES[part.name]([context.subjects[id] for id in round.learn], plane)


def _classical(context: Context, part: ClassicalModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.classical.grade import fit_grader

    subjects = shown(context, part)
    validation = [subjects[id] for id in round.validation]
    train = [subjects[id] for id in round.learn if id not in round.validation]
    model = fit_grader(part.name, part.region, train, validation)
    return model if subjects is context.subjects else Shown(model, subjects)


def _network(context: Context, part: NetworkModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.trained import load_network

    model = load_network(network_folders(context, part, round), part.name)
    return model if part.crop is None else Shown(model, shown(context, part))


def network_folders(context: Context, part: NetworkModel, round: Round) -> list[Path]:
    """Where the networks lie that answer together in a round. Raises StageError where one is not trained yet."""
    if part.weights is not None:
        found = sorted(path.parent for path in part.weights.rglob(DESCRIPTION))
        if not found:
            raise StageError(f"{part.name}: {part.weights} holds no trained network (no {DESCRIPTION} in it)")
        return found
    for number in round.folds:
        if not context.folder.stamp(f"train-{part.name}-fold-{number}").exists():
            raise StageError(
                f"{part.name} is not trained on fold {number} yet: run `gliobench train --model {part.name}` first"
            )
    return [context.folder.network(part.name, number) for number in round.folds]


def _together(context: Context, part: TogetherModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.together import Together

    parts = {one.name: one for one in context.study.models}
    members = [build_model(context, parts[name], round, plane) for name in part.of]
    for member in members:
        if "grade" not in member.tasks or not isinstance(member, Grader):
            raise StageError(f"{part.name}: {member.name} gives no calibrated probability of a grade")
    return Together(part.name, [member for member in members if isinstance(member, Grader)])


def _language_model(context: Context, part: LanguageModel, round: Round, plane: Plane) -> Model:
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


def _server_model(context: Context, part: ServerModel, round: Round, plane: Plane) -> Model:
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
    "baseline": Builder(_baseline),
    "classical": Builder(_classical),
    "network": Builder(_network),
    "together": Builder(_together),
    "vlm": Builder(_language_model, learns=False),
    "openai": Builder(_server_model, learns=False),
}
