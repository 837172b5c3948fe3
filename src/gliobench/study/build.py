"""From a model's entry in the study file to something that answers, one line a kind."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import DamagedError, Stamp, left_in, listed, read_stamp, set_aside, write_stamp
from gliobench.models.baselines import BASELINES
from gliobench.models.prediction import Grader, Model
from gliobench.models.shown import Shown
from gliobench.models.trained import DESCRIPTION, another_region
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.config import AnyModel, BaselineModel
from gliobench.study.context import Context, Round, StageError
from gliobench.study.language_parts import UNTRAINED_CHECKPOINT, LanguageModel, ServerModel
from gliobench.study.network_parts import ClassicalModel, NetworkModel, NnUNetModel, TogetherModel
from gliobench.study.outside import own_prompts
from gliobench.study.replayed import replayed_model
from gliobench.study.shots import reference_shots
from gliobench.study.shown import shown
from gliobench.study.vision_parts import UNTRAINED_VISION, EncoderModel, SegmenterModel

if TYPE_CHECKING:
    from gliobench.models.conversation import Shot
    from gliobench.models.decoding import Decoding
    from gliobench.models.transformers_vlm import VisionLanguageModel
    from gliobench.models.unsloth import Engine


@dataclass(frozen=True)
class Builder:
    """How a kind of model is built. `learns`: whether a study's entry is built anew for each round, because it learns
    from the round's patients, and for each plane, because it may learn from slices of one."""

    build: Callable[[Context, Any, Round, Plane], Model]
    learns: Callable[[Any], bool] = lambda part: True


def build_model(context: Context, part: AnyModel, round: Round, plane: Plane) -> Model:
    """The model of a study's entry, ready to answer about the round's patients and slices of `plane`."""
    return BUILDERS[part.kind].build(context, part, round, plane)


def _baseline(context: Context, part: BaselineModel, round: Round, plane: Plane) -> Model:
    return BASELINES[part.name]([context.subjects[id] for id in round.learn], plane)


def _classical(context: Context, part: ClassicalModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.classical.grade import fit_grader

    subjects = shown(context, part)
    model = fit_grader(part.name, part.region, *_learners(subjects, round))
    return model if subjects is context.subjects else Shown(model, subjects)


def _network(context: Context, part: NetworkModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.trained import load_network

    model = load_network(network_folders(context, part, round), part.name)
    return model if part.crop is None else Shown(model, shown(context, part))


def network_folders(context: Context, part: NetworkModel, round: Round) -> list[Path]:
    """Where the networks lie that answer together in a round. Raises StageError where `weights` holds none."""
    if part.weights is not None:
        found = sorted(path.parent for path in part.weights.rglob(DESCRIPTION))
        if not found:
            raise StageError(f"{part.name}: {part.weights} holds no trained network (no {DESCRIPTION} in it)")
        region = context.study.asked_region
        if why := next(filter(None, (another_region(folder, region) for folder in found)), None):
            raise StageError(f"{part.name}: weights: {why}: train one here")
        return found
    return _learnt_here(context, part.name, round)


def _learnt_here(context: Context, name: str, round: Round) -> list[Path]:
    return [context.folder.network(name, number) for number in round.folds]


def _nnunet(context: Context, part: NnUNetModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.nnunet import Installation, load_nnunet

    return load_nnunet(_learnt_here(context, part.name, round), part.name, Installation(part.python, context.workers))


def _together(context: Context, part: TogetherModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.together import Together

    parts = {one.name: one for one in context.study.models}
    members = [build_model(context, parts[name], round, plane) for name in part.of]
    for member in members:
        if "grade" not in member.tasks or not isinstance(member, Grader):
            raise StageError(f"{part.name}: {member.name} gives no calibrated probability of a grade")
    return Together(part.name, [member for member in members if isinstance(member, Grader)])


def _language_model(context: Context, part: LanguageModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.finetuned import FinetunedModel, learnt_from

    checkpoint = adapter = None
    if part.finetune is not None:
        folder, *_ = _learnt_here(context, part.name, round)  # several adapters cannot answer together
        checkpoint, adapter = (folder, None) if part.finetune.method == "full" else (None, folder)
    shots = reference_shots(context, part, round, plane)
    asked = language_model(context, part, checkpoint=checkpoint, adapter=adapter, shots=shots)
    learnt = learnt_from(checkpoint or part.checkpoint) | learnt_from(adapter or part.adapter)
    return FinetunedModel(asked, learnt) if learnt else asked


def language_model(
    context: Context,
    part: LanguageModel,
    *,
    checkpoint: Path | None = None,
    adapter: Path | None = None,
    shots: Mapping[str, Sequence["Shot"]] | None = None,
    to_train: bool = False,
) -> "VisionLanguageModel":
    """The model of an entry; `checkpoint`, `adapter`: what it has learnt, instead of its own or beside it."""
    from gliobench.models.transformers_vlm import VisionLanguageModel

    return VisionLanguageModel(
        name=part.name,
        checkpoint=checkpoint or checkpoint_folder(context, part.checkpoint),
        tasks=part.tasks,
        answer=part.answer,
        prompts=own_prompts(part.prompts, part.tasks, context.study.asked_region),
        view=part.view.to_view(),
        shots=shots,
        batch_size=None if part.batch_size == "auto" else part.batch_size,
        dtype=part.dtype,
        spread=part.device_map == "auto",
        quantisation=part.quantisation,
        adapter=adapter or part.adapter,
        to_train=to_train,
        engine=_engine(part) if to_train else "transformers",
        revision=None if checkpoint else part.revision,
        decoding=_decoding(part),
    )


def _decoding(part: LanguageModel | ServerModel) -> "Decoding":
    from gliobench.models.decoding import Decoding

    return Decoding(part.temperature, part.top_p, part.min_p, part.seed, part.max_new_tokens, part.top_k)


def _server_model(context: Context, part: ServerModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.openai_client import OpenAIModel, Prices, Server
    from gliobench.models.openai_key import read_key

    return OpenAIModel(
        Server(part.base_url, read_key(part.key_env), part.timeout_s, part.attempts),
        part.model,
        name=part.name,
        tasks=part.tasks,
        prompts=own_prompts(part.prompts, part.tasks, context.study.asked_region),
        view=part.view.to_view(),
        shots=reference_shots(context, part, round, plane),
        decoding=_decoding(part),
        in_flight=part.in_flight,
        guided=part.guided,
        logprobs=part.logprobs,
        limit_field=part.limit_field,
        prices=Prices(**part.prices.model_dump()) if part.prices else None,
    )


def _segmenter(context: Context, part: SegmenterModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.segmenter import PromptableSegmenter
    from gliobench.study.prompting import make_prompts

    return PromptableSegmenter(
        checkpoint_folder(context, part.checkpoint),
        make_prompts(context, part),
        name=part.name,
        modality=part.modality,
        batch_size=part.batch_size,
        revision=part.revision,
    )


def _encoder(context: Context, part: EncoderModel, round: Round, plane: Plane) -> Model:
    from gliobench.models.encoder.features import Look, VisionEncoder
    from gliobench.models.encoder.probe import fit_probe

    encoder = VisionEncoder(
        checkpoint_folder(context, part.checkpoint),
        Look(part.plane, part.select, part.every, part.channels),
        batch_size=part.batch_size,
        revision=part.revision,
        cache=context.folder.features,
    )
    train, validation = _learners(context.subjects, round)
    return fit_probe(part.name, part.pool, train, validation, encoder.features, encoder.settings)


def _replay(context: Context, part: ReplayModel, round: Round, plane: Plane) -> Model:
    return replayed_model(part)


def _learners(
    subjects: Mapping[str, PreparedSubject], round: Round
) -> tuple[list[PreparedSubject], list[PreparedSubject]]:
    """The training patients of a round, and those who decide."""
    train = [subjects[id] for id in round.learn if id not in round.validation]
    return train, [subjects[id] for id in round.validation]


def checkpoint_folder(context: Context, checkpoint: str) -> str:
    """A folder or hub id; the tiny untrained ones are made on the spot, and again where they are damaged."""
    if checkpoint not in (UNTRAINED_CHECKPOINT, *UNTRAINED_VISION):
        return checkpoint
    from gliobench.models.tiny import write_tiny_clip, write_tiny_mllama, write_tiny_sam

    write = {"tiny-mllama": write_tiny_mllama, "tiny-sam": write_tiny_sam, "tiny-clip": write_tiny_clip}[checkpoint]
    folder = context.folder.root / "checkpoints" / checkpoint
    listing = folder.with_name(f"{checkpoint}.json")
    if fault := _checkpoint_fault(folder, listing):
        if folder.exists():
            context.voice.say(f"{fault}; made again")
            set_aside(folder)
        partial = folder.with_name(f".{checkpoint}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        files = listed(left_in(write(partial)), partial)
        try:
            partial.rename(folder)  # whole or not at all: a run can be killed here too
        except OSError:  # another process was first
            shutil.rmtree(partial)
        write_stamp(listing, Stamp(checkpoint, 0.0, files))
    return str(folder)


def _checkpoint_fault(folder: Path, listing: Path) -> str | None:
    """What is wrong with a checkpoint that was made on the spot; one without checksums is taken as it is."""
    if not folder.is_dir():
        return f"{folder} is missing"
    try:
        stamp = read_stamp(listing)
    except DamagedError as error:
        return str(error)
    return None if stamp is None else next(iter(stamp.faults(folder).values()), None)


def is_finetuned(part: AnyModel) -> TypeGuard[LanguageModel]:
    """Whether an entry is a language model that learns first."""
    return isinstance(part, LanguageModel) and part.finetune is not None


def _engine(part: LanguageModel) -> "Engine":
    """Whose code loads a language model that is to learn."""
    return (part.finetune.engine if part.finetune else None) or "transformers"


def is_left_to_unsloth(context: Context, part: AnyModel) -> bool:
    """Whether Unsloth is to fine-tune an entry and has done so on no fold yet."""
    if not is_finetuned(part) or _engine(part) != "unsloth":
        return False
    return not any(context.folder.stamps.glob(f"finetune-{part.name}-fold-*.json"))


def _is_shown_patients(part: LanguageModel | ServerModel) -> bool:
    return part.shots > 0


BUILDERS: Mapping[str, Builder] = {
    "baseline": Builder(_baseline),
    "classical": Builder(_classical),
    "network": Builder(_network),
    "nnunet": Builder(_nnunet),
    "together": Builder(_together),
    "vlm": Builder(_language_model, learns=lambda part: is_finetuned(part) or _is_shown_patients(part)),
    "openai": Builder(_server_model, learns=_is_shown_patients),
    "segmenter": Builder(_segmenter, learns=lambda part: False),
    "encoder": Builder(_encoder),
    "replay": Builder(_replay, learns=lambda part: False),
}
