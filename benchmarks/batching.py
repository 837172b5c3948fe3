"""Slices a second: greedy answers asked in batches against the same answers asked one by one.

    OMP_WAIT_POLICY=passive python benchmarks/batching.py --slices 96 --batch 16 --tokens 40

Both sides ask the same questions of the same loaded weights, in alternating rounds, and must give equal answers.
Ends in one line of JSON. Without --checkpoint it asks the tiny random Mllama.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is imported: waiting threads must not spin

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.models.tiny import write_tiny_mllama
from gliobench.tasks.registry import TASKS


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = options.checkpoint or write_tiny_mllama(Path(scratch) / "tiny-mllama")
        decoding = Decoding(max_new_tokens=options.tokens)
        batched, single = (
            VisionLanguageModel(checkpoint, decoding=decoding, batch_size=size, dtype=options.dtype)
            for size in (options.batch, 1)
        )
    questions = make_questions(options.slices)
    for model in (batched, single):
        list(model.predict(questions[: options.batch]))  # the first batch pays for the start
    seconds: dict[str, list[float]] = {"batched": [], "one by one": []}
    for _ in range(options.rounds):
        took, answers = ask(batched, questions)
        seconds["batched"].append(took)
        took, expected = ask(single, questions)
        seconds["one by one"].append(took)
        if answers != expected:
            raise SystemExit("the answers differ between batched and one by one: the speed means nothing")
    report(options, batched, {name: len(questions) / statistics.median(took) for name, took in seconds.items()})


def make_questions(slices: int) -> list[Question]:
    """`slices` different images of (128, 128) pixels; task after task, as a study asks."""
    blocks = np.random.default_rng(0).integers(0, 256, (4, slices, 16, 16), dtype=np.uint8)
    subject = PreparedSubject(
        id="random blocks",
        grade=None,
        image=blocks.repeat(8, axis=2).repeat(8, axis=3),
        labels=None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(128, 128, slices),
        oracle=False,
        content="",
    )
    tasks = list(TASKS)
    return [Question(subject, tasks[n * len(tasks) // slices], subject.frame("axial", n)) for n in range(slices)]


def ask(model: VisionLanguageModel, questions: Sequence[Question]) -> tuple[float, list[tuple[str | None, int | None]]]:
    """Seconds for all questions, and what was said."""
    start = perf_counter()
    answers = [(prediction.text, prediction.tokens) for prediction in model.predict(questions)]
    return perf_counter() - start, answers


def report(options: argparse.Namespace, model: VisionLanguageModel, speed: dict[str, float]) -> None:
    table = Table("asked", "slices a second", title=f"{model.name}, up to {options.tokens} tokens an answer")
    for name, rate in speed.items():
        table.add_row(f"{name} ({options.batch if name == 'batched' else 1})", f"{rate:.2f}")
    Console().print(table)
    result = {
        "benchmark": "batching",
        "model": model.name,
        "slices": options.slices,
        "rounds": options.rounds,
        "batch": options.batch,
        "tokens": options.tokens,
        "threads": options.threads,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "dtype": model.settings["dtype"],
        "omp_wait_policy": os.environ["OMP_WAIT_POLICY"],
        "batched_slices_per_second": round(speed["batched"], 3),
        "single_slices_per_second": round(speed["one by one"], 3),
        "ratio": round(speed["batched"] / speed["one by one"], 2),
        "equal_answers": True,
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", help="folder or hub id; default the tiny random Mllama")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--slices", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
