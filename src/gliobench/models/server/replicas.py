"""Several servers of one model, asked as one: each question goes to the one with the fewest in flight."""

import time
from asyncio import Semaphore
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gliobench.models.server.reply import Reply
from gliobench.models.server.server import Connection, GaveUpError, Server, Usage

ASIDE_S = 60.0  # for how long a server that does not answer is left alone, while others do


@dataclass
class _Endpoint:
    connection: Connection
    slots: Semaphore
    asked: int = 0  # questions that wait for it, or are in flight
    aside_until: float = 0.0  # time.monotonic

    async def ask(self, body: bytes) -> Reply:
        self.asked += 1
        try:
            async with self.slots:
                return await self.connection.ask(body)
        finally:
            self.asked -= 1


class Replicas:
    """Open connections to all servers; an async context manager. `in_flight`: of each server. `usage` is added to.

    A server that gives up on a question which another one then answers is left alone for a minute. Where all give up
    on a question, it counts as for a single server.
    """

    def __init__(self, servers: Sequence[Server], in_flight: int, usage: Usage) -> None:
        self._endpoints = [_Endpoint(Connection(server, in_flight, usage), Semaphore(in_flight)) for server in servers]
        self._usage, self._stack = usage, AsyncExitStack()

    async def __aenter__(self) -> Self:
        for one in self._endpoints:
            await self._stack.enter_async_context(one.connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def connections(self) -> list[Connection]:
        """Each server's own."""
        return [one.connection for one in self._endpoints]

    async def ask(self, body: bytes) -> Reply:
        """The reply of the first server that gives one. Raises as `Connection.ask` does: GaveUpError of the last
        server where every one of them gave up."""
        left, gave_up = list(self._endpoints), list[_Endpoint]()
        while True:
            one = _least_asked(left)
            try:
                reply = await one.ask(body)
            except GaveUpError:
                left.remove(one)
                gave_up.append(one)
                if not left:
                    raise
            else:
                self._set_aside(gave_up)
                return reply

    def _set_aside(self, endpoints: Sequence[_Endpoint]) -> None:
        for one in endpoints:
            one.aside_until = time.monotonic() + ASIDE_S
            self._usage.set_aside.add(one.connection.server.base_url)


def _least_asked(endpoints: Sequence[_Endpoint]) -> _Endpoint:
    now = time.monotonic()
    healthy = [one for one in endpoints if one.aside_until <= now]
    return min(healthy or endpoints, key=lambda one: one.asked)
