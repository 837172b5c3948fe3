"""What a study needs and this machine lacks: files, packages, keys, a GPU, a server, the hub."""

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from gliobench.models.checkpoint_files import checkpoint_fault, quantised_by
from gliobench.models.quantised import quantisation_fault, quantised_fault
from gliobench.study.context import Context
from gliobench.study.kinds.base import ModelPart
from gliobench.study.kinds.network import NetworkModel
from gliobench.study.kinds.openai import ServerModel
from gliobench.study.kinds.vision import VisionModel
from gliobench.study.kinds.vlm import LanguageModel
from gliobench.study.lacking import Lack
from gliobench.study.plan.amounts import Amount, Missing
from gliobench.study.plan.families import checkpoint_here, is_hub_id, is_made_here
from gliobench.study.plan.hardware import Hardware, torch_has_cuda

FETCHED = "it will be fetched from the hub"
PATIENCE_S = 3.0  # for the hub and for servers
LARGE_GIB = 4.0  # a checkpoint that nobody wants to wait for without a GPU
LOG_PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def network_missing(part: NetworkModel) -> Iterator[Missing]:
    """Packages to log to."""
    for name in part.log:
        if find_spec(LOG_PACKAGES[name]) is None:
            yield Missing(part.name, f"log: {name} needs a package: pip install 'gliobench[{name}]'")


def server_missing(part: ServerModel) -> Iterator[Missing]:
    """A key that is not set, and a server that does not answer."""
    if part.key_env and not os.environ.get(part.key_env):
        yield Missing(part.name, f"the environment variable {part.key_env} (key_env) is not set")
    address = urlsplit(part.base_url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), PATIENCE_S).close()
    except OSError as error:
        yield Missing(part.name, f"no server answers at {part.base_url}: {error}")


def not_on_this_machine(context: Context) -> Iterator[Lack]:
    """Checkpoints that are not on this machine and cannot be fetched, of models that are still to be asked."""
    known: dict[tuple[str, str | None], str] = {}  # looked up once, however many entries ask it
    for number, part in enumerate(context.study.models):
        source = part.checkpoint_source
        if source is None or is_made_here(source[0]) or _is_asked(context, part):
            continue
        if not is_hub_id(source[0]) or checkpoint_here(context, *source):
            continue
        if source not in known:
            known[source] = _on_the_hub(*source)
        if known[source] != FETCHED:
            place = context.study.place("models", number, "checkpoint")
            yield Lack(place, f"{source[0]} (a model) is not on this machine; {known[source]}", absent=True)


def machine_lacking(context: Context) -> Iterator[Lack]:
    """What models that are still to be asked cannot do on this machine, such as 4 bits without a GPU."""
    for number, part in enumerate(context.study.models):
        if not _is_asked(context, part):
            for key, fault in part.machine_faults(context):
                yield Lack(context.study.place("models", number, key), fault, absent=True)


def _is_asked(context: Context, part: ModelPart) -> bool:
    return all(path.exists() for path in context.folder.question_lists(part.name))


def checkpoint_missing(part: LanguageModel | VisionModel, folder: Path | None) -> Iterator[Missing]:
    """A checkpoint that lies in no `folder` here, or lies there in part."""
    if is_made_here(part.checkpoint) or (folder is None and not is_hub_id(part.checkpoint)):
        return  # a folder that is not there is said of all entries alike: `gliobench.study.lacking`
    if folder is None:
        why = _on_the_hub(part.checkpoint, part.revision)
        yield Missing(part.name, f"checkpoint: {part.checkpoint} is not on this machine; {why}")
    elif fault := checkpoint_fault(folder, part.checkpoint_use):
        yield Missing(part.name, f"checkpoint: {fault}")


def _on_the_hub(checkpoint: str, revision: str | None) -> str:
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return "and HF_HUB_OFFLINE forbids to fetch it"
    url = f"{hub}/{checkpoint}/resolve/{revision or 'main'}/config.json"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE_S):
            return FETCHED
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            return "it is gated: ask for access on its page, and log in (`hf auth login`, or HF_TOKEN)"
        return f"the hub does not know it under this name or revision (HTTP {error.code})"
    except (OSError, ValueError) as error:
        return f"and the hub cannot be reached ({getattr(error, 'reason', error)})"


def quantisation_missing(part: LanguageModel, folder: Path | None) -> Iterator[Missing]:
    """What 4 and 8 bits need: those that the study asks for, and those of a checkpoint that was quantised before."""
    if fault := quantisation_fault_of(part, folder):
        yield Missing(part.name, f"quantisation: {fault}")


def quantisation_fault_of(part: LanguageModel, folder: Path | None) -> str | None:
    """Why a model cannot be quantised here, or its checkpoint not be used, which was quantised before."""
    if part.quantisation is not None:
        return f"{part.quantisation} cannot be used here: {fault}" if (fault := quantisation_fault()) else None
    if folder is None or checkpoint_fault(folder, "language") or (method := quantised_by(folder)) is None:
        return None
    fault = quantised_fault(folder, method)
    return f"{folder} was quantised with {method}, which cannot be used here: {fault}" if fault else None


def gpu_missing(name: str, needed: Amount | None, here: Hardware, cure: str) -> Iterator[Missing]:
    """A GPU for a model that is too large to wait for without, or a larger one; `cure`: what may do instead."""
    needed_gib = needed.value if needed else 0.0
    if here.memory_gib == 0 and needed_gib > LARGE_GIB:
        why = "" if torch_has_cuda() else " (and this torch was built without CUDA)"
        yield Missing(name, f"a GPU: about {needed_gib:.0f} GiB are needed{why}")
    elif needed_gib > here.memory_gib > 0:
        found = f"{here.name} has {here.memory_gib:.0f}"
        yield Missing(name, f"GPU memory: about {needed_gib:.0f} GiB are needed, {found}; {cure} may do")
