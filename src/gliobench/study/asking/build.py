"""Checkpoints of a study: those that are made on the spot, and language models that are loaded from one."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.integrity import DamagedError, Stamp, left_in, listed, read_stamp, set_aside, write_stamp
from gliobench.study.kinds.vision import UNTRAINED_VISION
from gliobench.study.kinds.vlm import UNTRAINED_CHECKPOINT, LanguageModelConfig
from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.models.language.conversation import Shot
    from gliobench.models.language.vlm import VisionLanguageModel


def language_model(
    context: Context,
    config: LanguageModelConfig,
    *,
    checkpoint: Path | None = None,
    adapter: Path | None = None,
    shots: Mapping[str, Sequence["Shot"]] | None = None,
    to_train: bool = False,
) -> "VisionLanguageModel":
    """The model of an entry; `checkpoint`, `adapter`: what it has learnt, instead of its own or beside it."""
    from gliobench.models.language.vlm import VisionLanguageModel

    return VisionLanguageModel(
        problem=config.problem,
        name=config.name,
        checkpoint=checkpoint or checkpoint_folder(context, config.checkpoint),
        tasks=config.tasks,
        answer=config.answer,
        prompts=config.prompts_of(context.study.asked_region),
        view=config.picture,
        shots=shots,
        batch_size=None if config.batch_size == "auto" else config.batch_size,
        dtype=config.dtype,
        spread=config.device_map == "auto",
        quantisation=config.quantisation,
        adapter=adapter or config.adapter,
        to_train=to_train,
        engine=config.engine or "transformers" if to_train else "transformers",
        revision=None if checkpoint else config.revision,
        decoding=config.decoding(),
    )


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
