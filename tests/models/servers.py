"""Real HTTP servers on loopback for the tests: one that answers with the tiny model, one that does what it is told."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import regex
import torch
from PIL import Image

from gliobench.models.checkpoints.load import Checkpoint

SECONDS = 20  # after which a server's thread gives up whatever it waits for


@dataclass
class Answer:
    """What a server does with one request: `body` is sent as it is, `cut` bytes of it at most."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    cut: int | None = None
    hang_up: bool = False


def completion(text: str | None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A chat completion as OpenAI's servers write it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 4, "total_tokens": 104}
    return {"object": "chat.completion", "choices": [choice | more], "usage": usage}


@dataclass
class Log:
    """What reached a server: headers and bodies in the order of arrival, and how many were there at once."""

    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0


@contextmanager
def serving(answer: Callable[[int, dict[str, Any]], Answer]) -> Iterator[tuple[str, Log]]:
    """A server on a free port of 127.0.0.1; `answer` gets a request's number, from 0, and its body."""
    log, lock = Log(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(log.bodies)
                log.bodies.append(body)
                log.paths.append(self.path)
                log.headers.append(dict(self.headers))
                log.times.append(time.monotonic())
                log.at_once += 1
                log.most_at_once = max(log.most_at_once, log.at_once)
            try:
                self._send(answer(number, body))
            finally:
                with lock:
                    log.at_once -= 1

        def do_CONNECT(self) -> None:
            """As a proxy that lets nothing through."""
            self.send_error(answer(len(log.bodies), {}).status)

        def _send(self, said: Answer) -> None:
            stopped.wait(min(said.wait_s, SECONDS))
            if said.hang_up:
                self.close_connection = True
                return
            data = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            self.send_header("Content-Length", str(len(data)))
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[: said.cut])
            self.close_connection = said.cut is not None

        def log_message(self, *_: Any) -> None:
            pass

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:  # a client that went away
            pass

    stopped = threading.Event()
    server = QuietServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", log
    finally:
        stopped.set()
        server.shutdown()
        thread.join(SECONDS)
        server.server_close()


@dataclass
class TinyModel:
    """Answers chat completions with a checkpoint, greedy: as a server such as vLLM would, it knows
    `structured_outputs`, which it writes letter by letter, and `logprobs`."""

    checkpoint: Checkpoint
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, number: int, body: dict[str, Any]) -> Answer:
        with self.lock, torch.inference_mode():
            return Answer(self._completion(body))

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        inputs = self.inputs(body["messages"])
        pattern = body.get("structured_outputs", {}).get("regex")
        length = inputs["input_ids"].shape[1]
        output = self.checkpoint.model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=body["max_tokens"],
            prefix_allowed_tokens_fn=self._within(pattern, length) if pattern else None,
            output_logits=True,
            return_dict_in_generate=True,
        )
        ids = output.sequences[0, length:].tolist()
        ended = ids[-1] in self.checkpoint.end_ids
        written = ids[:-1] if ended else ids
        told = completion(self._text(written), "stop" if ended else "length")
        told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"] = length, len(ids)
        if body.get("logprobs"):
            told["choices"][0]["logprobs"] = {
                "content": [
                    self._chances(token, logits[0]) for token, logits in zip(written, output.logits, strict=False)
                ]
            }
        return told

    def inputs(self, messages: list[dict[str, Any]]) -> Any:
        return self.checkpoint.processor.apply_chat_template(
            [message | {"content": [self._part(part) for part in message["content"]]} for message in messages],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        if part["type"] != "image_url":
            return part
        data = part["image_url"]["url"].removeprefix("data:image/png;base64,")
        return {"type": "image", "image": Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")}

    def _within(self, pattern: str, length: int) -> Callable[[int, torch.Tensor], list[int]]:
        """The tokens after which the text can still be made to follow `pattern`; the end where it does."""
        texts = {token: self._text([token]) for token in range(len(self.checkpoint.processor.tokenizer))}
        printable = {text: token for token, text in texts.items() if len(text) == 1}

        def allowed(_: int, ids: torch.Tensor) -> list[int]:
            text = self._text(ids[length:].tolist())
            tokens = [
                token for letter, token in printable.items() if regex.fullmatch(pattern, text + letter, partial=True)
            ]
            if regex.fullmatch(pattern, text):
                tokens += self.checkpoint.end_ids
            return tokens

        return allowed

    def _chances(self, token: int, logits: torch.Tensor) -> dict[str, Any]:
        chances = logits.log_softmax(-1)
        best = chances.sort(descending=True)  # all: the digits of random weights are seldom among the first 20
        return {
            "token": self._text([token]),
            "logprob": chances[token].item(),
            "top_logprobs": [
                {"token": self._text([other]), "logprob": value}
                for other, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            ],
        }

    def _text(self, ids: list[int]) -> str:
        text: str = self.checkpoint.processor.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text
