"""Many questions in flight at once, answers in the order asked: asyncio behind a plain iterator."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from threading import Thread
from typing import Any

from gliobench.models.base.errors import ModelError, ModelStopped
from gliobench.models.base.prediction import Prediction, Question

Ask = Callable[[Question, asyncio.Semaphore], Coroutine[Any, Any, Prediction]]
AHEAD = 2  # times `in_flight`: how many questions may be open or waiting to be yielded


def in_order(
    connect: Callable[[], AbstractAsyncContextManager[Ask]], questions: Sequence[Question], in_flight: int
) -> Iterator[list[Prediction]]:
    """Yield the predictions in the order asked, in lists of those that are ready; at most `in_flight` are in flight.

    `connect` opens a context that gives a function which asks one question; it prepares the request at once and holds
    the semaphore while it sends and waits, so that the next request is ready when a slot becomes free. A separate
    thread asks the questions: they continue while the caller writes an answer to disk, and this works inside a running
    event loop (a notebook). At most 2 * `in_flight` questions are open or wait to be yielded. Raises ModelStopped where
    a question raised ModelError: all before it were yielded, later ones that are answered are in the exception, the
    others are cancelled.
    """
    with _loop_in_a_thread() as loop:
        batches = _batches(connect, questions, in_flight)
        try:
            while (batch := asyncio.run_coroutine_threadsafe(anext(batches, None), loop).result()) is not None:
                yield batch
        finally:
            asyncio.run_coroutine_threadsafe(_close(batches), loop).result()


async def _batches(
    connect: Callable[[], AbstractAsyncContextManager[Ask]], questions: Sequence[Question], in_flight: int
) -> AsyncGenerator[list[Prediction], None]:
    slots = asyncio.Semaphore(in_flight)
    waiting = iter(questions)
    open_: deque[asyncio.Task[Prediction]] = deque()

    async with connect() as ask:
        try:
            while True:
                while len(open_) < AHEAD * in_flight and (question := next(waiting, None)) is not None:
                    open_.append(asyncio.create_task(ask(question, slots)))
                if not open_:
                    return
                await asyncio.wait([open_[0]])
                yield _take_answered(open_)
        finally:
            for task in open_:
                task.cancel()
            await asyncio.gather(*open_, return_exceptions=True)


def _take_answered(open_: deque[asyncio.Task[Prediction]]) -> list[Prediction]:
    """Take the answered questions from the front, up to the first that is not; raise where there is none."""
    answered = []
    while open_ and open_[0].done() and open_[0].exception() is None:
        answered.append(open_.popleft().result())
    if answered:
        return answered
    error = open_[0].exception()
    assert error is not None
    if isinstance(error, ModelError):
        behind = [task.result() for task in open_ if task.done() and task.exception() is None]
        raise ModelStopped(str(error), behind) from None
    raise error


async def _close(batches: AsyncGenerator[list[Prediction], None]) -> None:
    """End whatever still runs (an interrupt can come while a batch is waited for), then leave the connection."""
    running = asyncio.all_tasks() - {asyncio.current_task()}
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await batches.aclose()


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="asking", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
