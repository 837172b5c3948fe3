"""One checkpoint in memory, however many models use it: a few-shot model with other reference slices per fold would
otherwise load its weights again each time, while the last ones are still in memory."""

from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from gliobench.models.checkpoints.load import Checkpoint, load_checkpoint

_HELD: WeakValueDictionary[tuple[Any, ...], Checkpoint] = WeakValueDictionary()


def cached_checkpoint(source: str | Path, **options: Any) -> Checkpoint:
    """The checkpoint that `load_checkpoint` gives with these options; shared with a model that still holds it."""
    key = (str(source), *sorted(options.items()))
    checkpoint = _HELD.get(key)
    if checkpoint is None:
        checkpoint = _HELD[key] = load_checkpoint(source, **options)
    return checkpoint
