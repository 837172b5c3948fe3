"""A server that misbehaves: what a study makes of each way, and whether it goes on once the server is mended.

    python benchmarks/reliability/servers.py --seed 0

Each case runs `gliobench predict` against a real HTTP server on loopback that answers every question in one bad way,
then the same command against the same address with good answers. Looked at after the first: the exit status, a
traceback, the key or a raw control character in what was printed, the key in what was written, and whether anything
was kept as an answer that is none. After the second every question has to be answered. Ends in one line of JSON; exit
status 1 where a case is not as expected.
"""

import argparse
import io
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

if __name__ == "__main__":  # read when torch is imported; a test that imports this leaves its processes as they are
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from gliobench.cli.app import main
from gliobench.cohort.phantom import write_phantom

KEY = "sk-campaign-5b1f0c77e2"
ESCAPE = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202e"
STUDY = """\
name: servers
grid: {{shape: [16, 24, 24]}}
split: {{test_share: 0.4, folds: 2, seed: 1}}
slices: {{every: 4}}
tasks: [grade]
models:
  - kind: openai
    name: served
    base_url: {address}
    model: served
    key_env: GLIOBENCH_CAMPAIGN_KEY
    in_flight: 2
    attempts: 1
    timeout_s: {timeout_s}
    tasks: [grade]
"""
# "stops": exit status 2 and nothing kept. "kept": exit status 0 and records of these kinds, none of them `answered`
# unless the text is a good answer.
Expected = Literal["stops", "answered", "malformed", "refused", "truncated", "missing"]


@dataclass(frozen=True)
class Case:
    """One way to misbehave: `body` is sent as it is where it is bytes, else as JSON; `drip`: a byte every so many
    seconds; `cut`: hang up after so many bytes; `repeat`: send the body so often."""

    name: str
    body: Any
    expected: Expected
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    cut: int | None = None
    repeat: int = 1


@dataclass(frozen=True)
class Found:
    """What came of a case."""

    status: int
    kinds: tuple[str, ...]
    traceback: bool
    key: bool
    escape: bool
    resumed: bool


def completion(text: Any, finish: str | None = "stop", tokens: int = 4, **more: Any) -> dict[str, Any]:
    """A chat completion; `more` goes into its message."""
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {
        "object": "chat.completion",
        "choices": [choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": tokens},
    }


def cases(seed: int) -> Iterator[Case]:
    """All ways, with random bytes and cuts by the seed."""
    draw = random.Random(seed)
    good = completion("Choice: 1")
    whole = json.dumps(good).encode()
    error = {"error": {"message": f"no {ESCAPE} {KEY}", "code": "x"}}
    for status in (301, 302, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 415, 418, 422, 429, 451):
        yield Case(f"HTTP {status}", error, "stops", status)
    for status in (408, 425, 500, 501, 502, 503, 504, 507, 520, 529, 599):
        yield Case(f"HTTP {status}", error, "stops", status)
    yield Case("HTTP 204 without a body", b"", "stops", 204)
    yield Case("HTML in 200", b"<html>Sign in to the network</html>", "stops")
    yield Case("HTML in 502", f"<html>{ESCAPE}{KEY}</html>".encode(), "stops", 502)
    yield Case("wait an hour", error, "stops", 503, {"Retry-After": "3600"})
    yield Case("wait till a bad date", error, "stops", 503, {"Retry-After": f"never {KEY}"})
    yield Case("no money", {"error": {"code": "insufficient_quota"}}, "stops", 429)
    yield Case("the key in a header", error, "stops", 401, {"WWW-Authenticate": KEY, "X-Key": KEY})
    for name, body in {
        "error": error,
        "error as text": {"error": f"gone {ESCAPE}"},
        "error beside an answer": good | {"error": {"message": "failed"}},
        "object error": {"object": "error", "message": f"The model {KEY} does not exist", "code": 404},
        "choices null": {"choices": None, "message": "image too large", "code": 400},
        "choices empty": {"choices": []},
        "choices no list": {"choices": {"0": good["choices"][0]}},
        "choice no object": {"choices": ["Choice: 1"]},
        "no message": {"choices": [{"text": "Choice: 1", "finish_reason": "stop"}]},
        "message null": {"choices": [{"message": None}]},
        "error in a choice": {"choices": [good["choices"][0] | {"error": {"message": f"upstream {ESCAPE}"}}]},
        "error in a message": completion("Choice: 1", error={"message": "upstream"}),
        "finish error": completion("Choice: 1", "error"),
        "finish abort": completion("Choice: 1", "abort"),
        "content null, 0 tokens": completion(None, tokens=0),
        "content empty, 0 tokens": completion("", tokens=0),
        "content blank, 0 tokens": completion(" \n", tokens=0),
        "content null, nothing counted": {"choices": completion(None)["choices"]},
        "a list": [good],
        "a number": 1,
        "a text": f"Choice: 1 {ESCAPE}",
        "null": None,
    }.items():
        yield Case(f"200: {name}", body, "stops")
    for name, raw in {
        "an empty body": b"",
        "random bytes": draw.randbytes(400),
        "half of the JSON": whole[: draw.randrange(1, len(whole) - 1)],
        "two answers": whole + whole,
        "UTF-16 without a mark": "Choice: 1".encode("utf-16-le"),
        "a stream": b'data: {"choices": [{"delta": {"content": "Choice: 1"}}]}\n\ndata: [DONE]\n\n',
        "an error in a stream": b'data: {"error": {"message": "overloaded"}}\n\n',
        "JSON that nests": b"[" * 100_000,
        "NUL bytes": b"\0" * 100,
    }.items():
        yield Case(f"200: {name}", raw, "stops")
    yield Case("cut off", good, "stops", cut=draw.randrange(1, len(whole) - 1))
    yield Case("hangs up at once", good, "stops", cut=0)
    yield Case("a byte in a while", good, "stops", drip_s=0.2)
    yield Case("20 MiB", b" " * 2**20, "stops", repeat=20)
    yield Case("says gzip, is none", good, "stops", headers={"Content-Encoding": "gzip"})
    for status, words in (
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (400, "served is not a multimodal model"),
    ):
        yield Case(f"takes no images, HTTP {status}", {"error": {"message": words}}, "stops", status)
    yield Case("content filter", {"error": {"code": "content_filter", "message": ESCAPE}}, "refused", 400)
    yield Case("filtered away", completion(None, "content_filter"), "refused")
    yield Case("refusal", completion(None, refusal=f"I will not. {ESCAPE} {KEY}"), "refused")
    yield Case("reasoning alone", completion(None, reasoning_content="Choice: 1"), "missing")
    yield Case("reasoning by another name", completion("", reasoning="Choice: 1"), "missing")
    yield Case("reasoning, cut", completion(None, "length", reasoning_content="Choice: 1"), "truncated")
    yield Case("cut by another word", completion("The lesion shows", "max_tokens"), "truncated")
    yield Case("escapes and the key in an answer", completion(f"{ESCAPE} {KEY} no idea"), "malformed")
    yield Case("silence of 1 token", completion("", tokens=1), "missing")
    yield Case("a good answer in parts", completion([{"type": "text", "text": "Choice: 1"}]), "answered")
    yield Case("a good answer in another type", whole, "answered", headers={"Content-Type": "text/plain"})
    yield Case("wild numbers", good | {"usage": {"completion_tokens": 10**40, "prompt_tokens": -1}}, "answered")


class Server:
    """Answers as `case` says; well where it is None."""

    def __init__(self) -> None:
        self.case: Case | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                case = outer.case or Case("good", completion("Choice: 1"), "answered")
                data = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
                self.close_connection = True
                if case.cut == 0:
                    return
                self.send_response(case.status)
                for name, value in {
                    "Content-Length": str(len(data) * case.repeat),
                    "Connection": "close",
                    **case.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for byte in data if case.drip_s else ():
                        self.wfile.write(bytes([byte]))
                        time.sleep(case.drip_s)
                    for _ in range(0 if case.drip_s else case.repeat):
                        self.wfile.write(data[: case.cut])
                except OSError:  # the client has had enough
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


def campaign(seed: int, every: int = 1) -> list[tuple[Case, Found]]:
    """What came of every n-th case."""
    server, results = Server(), []
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ, {"GLIOBENCH_CAMPAIGN_KEY": KEY}):
        folder = Path(name)
        write_phantom(folder / "cohort", subjects=10, seed=3, spacing_mm=6)
        study = folder / "study.yaml"
        study.write_text(STUDY.format(address=server.address, timeout_s=60))
        for stage in ("prepare", "split"):
            status, printed = _run(stage, study, folder / "cohort", folder / "base")
            assert status == 0, printed
        for case in list(cases(seed))[::every]:
            shutil.copytree(folder / "base", folder / "out")
            study.write_text(STUDY.format(address=server.address, timeout_s=1 if case.drip_s else 60))
            results.append((case, _try(case, server, study, folder / "cohort", folder / "out")))
            shutil.rmtree(folder / "out")
    server.http.shutdown()
    return results


def _try(case: Case, server: Server, study: Path, cohort: Path, out: Path) -> Found:
    server.case = case
    status, printed = _run("predict", study, cohort, out)
    kinds = _kinds(out)
    written = b"".join(path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file())
    server.case = None
    again, _ = _run("predict", study, cohort, out)
    resumed = again == 0 and (case.expected != "stops" or set(_kinds(out)) == {"answered"})
    return Found(
        status=status,
        kinds=tuple(sorted(set(kinds))),
        traceback="Traceback" in printed,
        key=KEY in printed or KEY.encode() in written,
        escape=any(not (letter.isprintable() or letter == "\n") for letter in printed),
        resumed=resumed,
    )


def _run(stage: str, study: Path, cohort: Path, out: Path) -> tuple[int, str]:
    """Exit status and everything printed of one command."""
    printed, status = io.StringIO(), 0
    arguments = ["gliobench", stage, str(study), "--cohort", str(cohort), "--out", str(out)]
    with patch.object(sys, "argv", arguments), redirect_stdout(printed), redirect_stderr(printed):
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            status = 1
            traceback.print_exc(file=printed)
    return status, printed.getvalue()


def _kinds(out: Path) -> list[str]:
    answers = out / "answers" / "served.jsonl"
    return [json.loads(line)["kind"] for line in answers.read_text().splitlines()] if answers.exists() else []


def faults(case: Case, found: Found) -> list[str]:
    """What is not as it should be."""
    stops = case.expected == "stops"
    checks = {
        "exit status": found.status != (2 if stops else 0),
        "traceback": found.traceback,
        "key shown": found.key,
        "raw escape": found.escape,
        "wrongly kept": found.kinds != (() if stops else (case.expected,)),
        "not resumed": not found.resumed,
    }
    return [name for name, wrong in checks.items() if wrong]


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="try every n-th case")
    options = parser.parse_args()
    results = campaign(options.seed, options.every)
    table = Table("case", "expected", "exit status", "kept", "faults")
    counts: Counter[str] = Counter()
    for case, found in results:
        wrong = faults(case, found)
        counts.update(wrong)
        table.add_row(case.name, case.expected, str(found.status), ", ".join(found.kinds), ", ".join(wrong))
    Console(width=120).print(table)
    print(json.dumps({"benchmark": "servers", "seed": options.seed, "cases": len(results), "faults": dict(counts)}))
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(_main())
