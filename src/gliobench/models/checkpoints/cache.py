"""One checkpoint in memory, however many models ask it: one that is shown other reference slices for each round of
patients would otherwise load its weights again each time, while the last ones are still there."""

from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from gliobench.models.checkpoints.load import Checkpoint, load_checkpoint

_HELD: WeakValueDictionary[tuple[Any, ...], Checkpoint] = WeakValueDictionary()


def cached_checkpoint(source: str | Path, **options: Any) -> Checkpoint:
    """What `load_checkpoint` gives with these options, or the very same where a model still holds it."""
    key = (str(source), *sorted(options.items()))
    checkpoint = _HELD.get(key)
    if checkpoint is None:
        checkpoint = _HELD[key] = load_checkpoint(source, **options)
    return checkpoint
