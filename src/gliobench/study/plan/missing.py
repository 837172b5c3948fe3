"""What a study's models need and this machine lacks: checkpoints, packages, a GPU."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator

import torch

from gliobench.models.checkpoints.files import checkpoint_fault
from gliobench.study.asking.answers import question_lists
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.plan.estimates import Estimate, Missing
from gliobench.study.plan.families import checkpoint_here, is_hub_id, is_made_here
from gliobench.study.plan.hardware import Hardware
from gliobench.study.state.context import Context
from gliobench.study.state.lacking import Lack

FETCHED = "it will be fetched from the hub"
PATIENCE_S = 3.0  # for the hub
LARGE_GIB = 4.0  # a checkpoint that nobody wants to wait for without a GPU


def not_on_this_machine(context: Context) -> Iterator[Lack]:
    """Checkpoints that are not on this machine and cannot be fetched."""
    return (lack for lack in hub_checkpoints(context) if lack.absent and not lack.problem.endswith(FETCHED))


def hub_checkpoints(context: Context) -> Iterator[Lack]:
    """Checkpoints by their ids on the hub, of models that are still to be asked, that are not on this machine
    (`absent`), or lie in the hub's cache and cannot be used."""
    known: dict[tuple[str, str | None], str] = {}  # looked up once, however many entries ask it
    for number, config in _to_ask(context):
        source = config.checkpoint_source
        if source is None or is_made_here(source[0]) or not is_hub_id(source[0]):
            continue
        place = context.study.place("models", number, "checkpoint")
        if folder := checkpoint_here(context, *source):
            if config.checkpoint_use and (fault := checkpoint_fault(folder, config.checkpoint_use)):
                yield Lack(place, fault, absent=False)
            continue
        if source not in known:
            known[source] = _on_the_hub(*source)
        yield Lack(place, f"{source[0]} (a model) is not on this machine; {known[source]}", absent=True)


def machine_lacking(context: Context) -> Iterator[Lack]:
    """What models that are still to be asked cannot do on this machine, such as 4 bits without a GPU."""
    for number, config in _to_ask(context):
        for key, fault in config.machine_faults(context):
            yield Lack(context.study.place("models", number, key), fault, absent=True)


def _to_ask(context: Context) -> Iterator[tuple[int, ModelConfig]]:
    for number, config in enumerate(context.study.models):
        if not all(path.exists() for path in question_lists(context, config.name)):
            yield number, config


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


def gpu_missing(name: str, needed: Estimate | None, here: Hardware, cure: str) -> Iterator[Missing]:
    """A GPU for a model that is too large to wait for without, or a larger one; `cure`: what may do instead."""
    needed_gib = needed.value if needed else 0.0
    if here.memory_gib == 0 and needed_gib > LARGE_GIB:
        why = "" if torch.version.cuda else " (and this torch was built without CUDA)"
        yield Missing(name, f"a GPU: about {needed_gib:.0f} GiB are needed{why}")
    elif needed_gib > here.memory_gib > 0:
        found = f"{here.name} has {here.memory_gib:.0f}"
        yield Missing(name, f"GPU memory: about {needed_gib:.0f} GiB are needed, {found}; {cure} may do")
