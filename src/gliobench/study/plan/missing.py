"""What a study needs and this machine lacks: files, packages, keys, a GPU, a server, the hub."""

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from gliobench.models.unsloth import unsloth_fault
from gliobench.study.build import is_left_to_unsloth
from gliobench.study.context import Context
from gliobench.study.language_parts import UNTRAINED_CHECKPOINT, LanguageModel, ServerModel
from gliobench.study.network_parts import NetworkModel
from gliobench.study.plan.amounts import Missing, Step
from gliobench.study.plan.families import is_hub_id
from gliobench.study.plan.hardware import Hardware, torch_has_cuda
from gliobench.study.plan.language import checkpoint_files
from gliobench.tasks.prompt import PromptError, read_prompt_file

PATIENCE_S = 3.0  # for the hub and for servers
LARGE_GIB = 4.0  # a checkpoint that nobody wants to wait for without a GPU
LOG_PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def missing_parts(context: Context, steps: tuple[Step, ...], here: Hardware) -> Iterator[Missing]:
    """Everything that is missing for the models of a study, in its order."""
    memory = {step.model: step.gpu_memory_gib.value for step in steps if step.gpu_memory_gib}
    for part in context.study.models:
        if isinstance(part, NetworkModel):
            yield from _of_network(part)
        if isinstance(part, LanguageModel | ServerModel) and part.prompts:
            yield from _of_prompts(part)
        if isinstance(part, ServerModel):
            yield from _of_server(part)
        if isinstance(part, LanguageModel):
            yield from _of_checkpoint(context, part)
            yield from _of_gpu(part, memory.get(part.name, 0.0), here)
            if is_left_to_unsloth(context, part) and (fault := unsloth_fault()):
                yield Missing(part.name, f"finetune: engine unsloth cannot be used here: {fault}; docs/finetuning.md")


def _of_network(part: NetworkModel) -> Iterator[Missing]:
    for key, folder in (("weights", part.weights), ("start", part.start)):
        if folder is not None and not folder.exists():
            yield Missing(part.name, f"{key}: {folder} does not exist")
    for name in part.log:
        if find_spec(LOG_PACKAGES[name]) is None:
            yield Missing(part.name, f"log: {name} needs a package: pip install 'gliobench[{name}]'")


def _of_prompts(part: LanguageModel | ServerModel) -> Iterator[Missing]:
    assert part.prompts is not None
    for task in part.tasks:
        try:
            read_prompt_file(part.prompts, task)
        except PromptError as error:
            yield Missing(part.name, f"prompts: {error}")
            return


def _of_server(part: ServerModel) -> Iterator[Missing]:
    if part.key_env and not os.environ.get(part.key_env):
        yield Missing(part.name, f"the environment variable {part.key_env} (key_env) is not set")
    address = urlsplit(part.base_url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), PATIENCE_S).close()
    except OSError as error:
        yield Missing(part.name, f"no server answers at {part.base_url}: {error}")


def _of_checkpoint(context: Context, part: LanguageModel) -> Iterator[Missing]:
    if part.adapter and not is_hub_id(part.adapter) and not Path(part.adapter).is_dir():
        yield Missing(part.name, f"adapter: {part.adapter} does not exist")
    if part.checkpoint == UNTRAINED_CHECKPOINT:
        return
    folder = checkpoint_files(context, part)
    if folder is None and not is_hub_id(part.checkpoint):
        yield Missing(part.name, f"checkpoint: the folder {part.checkpoint} does not exist")
    elif folder is None:
        yield Missing(part.name, f"checkpoint: {part.checkpoint} is not on this machine; {_on_the_hub(part)}")
    elif not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        yield Missing(part.name, f"checkpoint: {folder} has no config.json or no *.safetensors")


def _on_the_hub(part: LanguageModel) -> str:
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return "and HF_HUB_OFFLINE forbids to fetch it"
    url = f"{hub}/{part.checkpoint}/resolve/{part.revision or 'main'}/config.json"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE_S):
            return "it will be fetched from the hub"
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            return "it is gated: ask for access on its page, and log in (`hf auth login`, or HF_TOKEN)"
        return f"the hub does not know it under this name or revision (HTTP {error.code})"
    except (OSError, ValueError) as error:
        return f"and the hub cannot be reached ({getattr(error, 'reason', error)})"


def _of_gpu(part: LanguageModel, needed_gib: float, here: Hardware) -> Iterator[Missing]:
    if part.quantisation:
        if find_spec("bitsandbytes") is None:
            yield Missing(part.name, "quantisation: bitsandbytes is not installed (pip install 'gliobench[quantised]')")
        if here.memory_gib == 0:
            yield Missing(part.name, f"quantisation: {part.quantisation} needs a CUDA device")
    if here.memory_gib == 0 and needed_gib > LARGE_GIB:
        why = "" if torch_has_cuda() else " (and this torch was built without CUDA)"
        yield Missing(part.name, f"a GPU: about {needed_gib:.0f} GiB are needed{why}")
    elif needed_gib > here.memory_gib > 0:
        yield Missing(
            part.name,
            f"GPU memory: about {needed_gib:.0f} GiB are needed, {here.name} has {here.memory_gib:.0f}; "
            "a smaller batch_size, quantisation: 4bit or device_map: auto may do",
        )
