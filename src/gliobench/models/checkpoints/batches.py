"""Batches as large as memory allows: where it runs out, the batch size is halved, and no answer is lost."""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from gliobench.models.base.errors import ModelError

log = logging.getLogger(__name__)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# Host memory is not probed: a system that overcommits memory kills the process that uses it.
FIRST_SIZE = {"cuda": 64}
FIRST_SIZE_ELSEWHERE = 16


@dataclass
class BatchSize:
    """The current batch size: it only ever gets smaller."""

    now: int


def first_size(device: str) -> int:
    """The initial batch size, by the kind of device."""
    return FIRST_SIZE.get(device, FIRST_SIZE_ELSEWHERE)


def in_batches(
    asked: Sequence[Asked], ask: Callable[[Sequence[Asked]], Sequence[Answer]], size: BatchSize
) -> Iterator[Answer]:
    """Yield what `ask` gives for all of `asked`, in its order, `size.now` at once.

    Where `ask` runs out of memory the same batch is repeated in halves, and all later ones are that small. Raises
    ModelError where memory does not suffice for a single one.
    """
    start = 0
    while start < len(asked):
        batch = asked[start : start + size.now]
        try:
            answers = ask(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise ModelError(
                    "out of memory with a batch size of 1: use a smaller dtype or checkpoint, quantisation, "
                    f"or a device with more memory ({_first_line(error)})"
                ) from error
            size.now = len(batch) // 2
            log.warning("out of memory with a batch size of %d; continuing with %d", len(batch), size.now)
        else:
            yield from answers
            start += len(batch)
            continue
        _free()  # only here, outside of the `except`, are the failed batch's tensors gone


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on a GPU, in torch or in NumPy."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error)


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]
