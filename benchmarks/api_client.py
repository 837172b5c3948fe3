"""How near the client of servers comes to the ideal: `in flight` questions in every `latency`, nothing lost between.

    python benchmarks/api_client.py [--questions 3000] [--in-flight 64] [--latency 0.1] [--rounds 3] [--servers 3]

The server, a process of its own on loopback, answers each question after exactly the latency. The peer is the least
that a client of the same library can do: prepared requests, replies thrown away. Then as many `--servers` share the
questions as one list, `in flight` at each. A table, then one JSON line.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from statistics import median

import aiohttp
import numpy as np

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.server.client import OpenAIModel, Server
from gliobench.tasks.answer import Answered

DEPTH, ROWS, COLUMNS = 95, 128, 128
COMPLETION = {
    "choices": [{"message": {"role": "assistant", "content": "Choice: 1"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1700, "completion_tokens": 4},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=3000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", type=int, default=3)
    options = parser.parse_args()
    ideal_s = options.questions * options.latency / options.in_flight
    ports: Queue[int] = multiprocessing.Queue()
    servers = [
        multiprocessing.Process(target=serve, args=(ports, options.latency), daemon=True)
        for _ in range(options.servers)
    ]
    for server in servers:
        server.start()
    addresses = [f"http://127.0.0.1:{ports.get(timeout=30)}/v1" for _ in servers]
    questions = _questions(options.questions)
    ours = _times(options.rounds, lambda: ask(addresses[:1], questions, options.in_flight))
    shared = _times(options.rounds, lambda: ask(addresses, questions, options.in_flight))
    peer = _times(options.rounds, lambda: asyncio.run(post(addresses[0], options.questions, options.in_flight)))
    for server in servers:
        server.terminate()
    print(f"{'':24} seconds  share of the ideal  ms of processor a question")
    many = f"gliobench, {options.servers} servers"
    for name, (seconds, cpu) in (("gliobench", ours), ("bare aiohttp", peer), (many, shared)):
        print(f"{name:24} {seconds:7.2f} {ideal_s / seconds:19.3f} {1e3 * cpu / options.questions:27.2f}")
    figures = {
        **vars(options),
        "ideal_s": ideal_s,
        "seconds": ours[0],
        "ratio_to_ideal": ideal_s / ours[0],
        "times_as_fast_with_all_servers": ours[0] / shared[0],
        "peer_ratio_to_ideal": ideal_s / peer[0],
        "cpu_ms_a_question": 1e3 * ours[1] / options.questions,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def ask(addresses: list[str], questions: list[Question], in_flight: int) -> None:
    """Everything that a study does up to a typed answer: slice, PNG, request, reply, parser."""
    servers = [Server(address) for address in addresses]
    predictions = list(OpenAIModel(servers, "any", in_flight=in_flight).predict(questions))
    assert all(isinstance(prediction.answer, Answered) for prediction in predictions)


async def post(address: str, count: int, in_flight: int) -> None:
    body = json.dumps({"content": "a" * 20_000}).encode()
    left = iter(range(count))

    async def worker(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(f"{address}/chat/completions", data=body) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
        await asyncio.gather(*(worker(session) for _ in range(in_flight)))


class Answering(asyncio.Protocol):
    """As little of a server as can be, so that its own work does not count as the client's."""

    def __init__(self, latency_s: float) -> None:
        body = json.dumps(COMPLETION).encode()
        self.reply = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        self.latency_s, self.wanted, self.received = latency_s, 0, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.wanted:
            head, end, _ = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.wanted = len(head) + len(end) + int(length.split(b":")[1])
        if len(self.received) >= self.wanted:
            del self.received[: self.wanted]
            self.wanted = 0
            asyncio.get_running_loop().call_later(self.latency_s, self.transport.write, self.reply)


def serve(ports: "Queue[int]", latency_s: float) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Answering(latency_s), "127.0.0.1", 0, backlog=1024
        )
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def _times(rounds: int, work: Callable[[], None]) -> tuple[float, float]:
    """Median wall clock and processor time of this process, in seconds."""
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return median(walls), median(cpus)


def _questions(count: int) -> list[Question]:
    """Grades of the slices of a made brain: a bright ellipse with noise in it, black around, as large as a real one."""
    rows, columns = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    brain = (rows / 0.8) ** 2 + (columns / 0.65) ** 2 < 1
    noise = np.random.default_rng(0).normal(110, 25, (DEPTH, ROWS, COLUMNS)).clip(1, 255)
    image = np.broadcast_to((noise * brain).astype(np.uint8), (4, DEPTH, ROWS, COLUMNS))
    subject = PreparedSubject(
        id="made",
        grade=1,
        image=image,
        labels=None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(COLUMNS, ROWS, DEPTH),
        oracle=False,
        content="made",
    )
    return [Question(subject, "grade", subject.frame("axial", number % DEPTH)) for number in range(count)]


if __name__ == "__main__":
    main()
