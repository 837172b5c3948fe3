"""How fast a language model in this process is asked: each way against the plain one, same model, same run.

    OMP_WAIT_POLICY=passive python benchmarks/asking.py choice        # grade by choice, batched, against 40 tokens each
    OMP_WAIT_POLICY=passive python benchmarks/asking.py repeats       # 95 repeats of one input against 95 calls
    OMP_WAIT_POLICY=passive python benchmarks/asking.py constrained   # boxes in their format against free ones
    OMP_WAIT_POLICY=passive python benchmarks/asking.py memory        # peak memory by the number of slices

`--config llama-3.2-11b-vision` builds the real network's configuration with random bfloat16 weights on the device; its
tokenizer is the tiny model's, whose prompts are about as many tokens as the real one's.
`--clock cpu` counts the process's own seconds: the one to use beside other work. Ends in one line of JSON.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is imported: waiting threads must not spin

import torch
from rich.console import Console
from rich.table import Table
from transformers import MllamaConfig, MllamaForConditionalGeneration

from batching import make_questions
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.models.tiny import write_tiny_idefics3, write_tiny_mllama

TINY = {"tiny-mllama": write_tiny_mllama, "tiny-idefics3": write_tiny_idefics3}
REAL = "llama-3.2-11b-vision"
Result = dict[str, Any]


def choice(options: argparse.Namespace) -> Result:
    """Slices a second, the grade read off in batches, against one slice at a time that writes up to `tokens`."""
    free, chosen = (
        build(options, decoding=Decoding(max_new_tokens=options.tokens), answer=answer)
        for answer in ({}, {"grade": "choice"})
    )
    free._batch_size.now, chosen._batch_size.now = 1, options.batch
    questions = grades(options.slices)
    few = questions[: max(1, options.slices // 16)]  # one by one is slow
    each = rounds(options, {"one by one": lambda: asked(free, few), "choice": lambda: asked(chosen, questions)})
    batched = build(options, decoding=Decoding(max_new_tokens=options.tokens))
    batched._batch_size.now = options.batch
    each |= rounds(options, {"free, batched": lambda: asked(batched, questions[: options.batch])})
    counts = {"one by one": len(few), "choice": len(questions), "free, batched": min(options.batch, len(questions))}
    speed = {name: counts[name] / seconds for name, seconds in each.items()}
    prompt = int(free._inputs(questions[:1])["input_ids"].shape[1])
    return {
        "slices_per_second": {name: round(rate, 2) for name, rate in speed.items()},
        "prompt_tokens": prompt,
        "ratio": round(speed["choice"] / speed["one by one"], 2),
        "goal": 10 if options.config == REAL else 40,
    }


def repeats(options: argparse.Namespace) -> Result:
    """Seconds for `repeats` sampled answers to one input, together against one call each."""
    model = build(options, decoding=Decoding(temperature=1.5, max_new_tokens=options.tokens))
    questions = [replace(grades(1)[0], repeat=repeat) for repeat in range(options.repeats)]
    some = questions[: max(4, options.repeats // 10)]
    model._batch_size.now = options.repeats
    expected = [prediction.text for one in some for prediction in model.predict([one])]
    if [prediction.text for prediction in model.predict(questions)][: len(some)] != expected:
        raise SystemExit("the answers differ between together and one by one: the speed means nothing")
    took = rounds(
        options,
        {
            "one by one": lambda: [list(model.predict([one])) for one in some],
            "together": lambda: asked(model, questions),
        },
    )
    alone = took["one by one"] / len(some) * len(questions)
    return {
        "repeats": len(questions),
        "seconds": {"one by one": round(alone, 2), "together": round(took["together"], 3)},
        "calls_measured": len(some),
        "equal_answers": True,
        "ratio": round(alone / took["together"], 2),
        "goal": 25,
    }


def constrained(options: argparse.Namespace) -> Result:
    """Tokens a box held to its format takes and a free one, and seconds a token: the first one, which pays for image
    and prompt, is taken off, and both write the same number."""
    questions = [replace(question, task="box") for question in make_questions(options.batch)]

    def model(tokens: int | None, mode: str) -> VisionLanguageModel:
        decoding = Decoding(temperature=1.0, max_new_tokens=tokens)  # greedy answers of random weights are all alike
        made = build(options, decoding=decoding, answer={"box": mode})
        made._batch_size.now = options.batch
        return made

    said = {mode: asked(model(options.tokens, mode), questions) for mode in ("free", "constrained")}
    steps = max(prediction.tokens or 0 for prediction in said["constrained"])
    ways = {"first": model(1, "free"), "free": model(steps, "free"), "constrained": model(None, "constrained")}
    took = rounds(options, {name: lambda name=name: asked(ways[name], questions) for name in ways})
    step = {name: (took[name] - took["first"]) / (steps - 1) for name in ("free", "constrained")}
    return {
        "tokens_an_answer": {mode: round(statistics.mean(p.tokens or 0 for p in said[mode]), 1) for mode in said},
        "steps": steps,
        "milliseconds_a_step": {mode: round(1e3 * seconds, 2) for mode, seconds in step.items()},
        "ratio": round(step["constrained"] / step["free"], 3),
        "goal": 1.2,
    }


def memory(options: argparse.Namespace) -> Result:
    """Peak resident memory of a process that asks about 100 slices, and of one that asks about 400."""
    peaks = {}
    for slices in (100, 400):
        command = [sys.executable, __file__, "peak", "--slices", str(slices), "--config", options.config]
        shared = ["--batch", str(options.batch), "--threads", str(options.threads), "--dtype", options.dtype]
        ended = subprocess.run([*command, *shared], check=True, capture_output=True, text=True)
        peaks[slices] = float(ended.stdout.split()[-1])
    return {
        "peak_mib": {str(slices): round(peak, 1) for slices, peak in peaks.items()},
        "ratio": round(peaks[400] / peaks[100], 3),
        "goal": "1, constant",
    }


def peak(options: argparse.Namespace) -> None:
    """Ask about `slices` of 400 and print the most memory that was held, in MiB."""
    model = build(options, answer={"grade": "choice"})
    model._batch_size.now = options.batch
    for _ in model.predict(grades(400)[: options.slices]):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def grades(slices: int) -> list[Question]:
    return [replace(question, task="grade") for question in make_questions(slices)]


def asked(model: VisionLanguageModel, questions: Sequence[Question]) -> list[Prediction]:
    return list(model.predict(questions))


def rounds(options: argparse.Namespace, ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median seconds of each way, asked in turn; a first time, which pays for the start, is not counted."""
    clock = process_time if options.clock == "cpu" else perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.rounds + 1):
        for name, way in ways.items():
            start = clock()
            way()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(clock() - start)
    return {name: statistics.median(took) for name, took in seconds.items()}


def build(options: argparse.Namespace, **asking: Any) -> VisionLanguageModel:
    with tempfile.TemporaryDirectory() as scratch:
        folder = TINY.get(options.config, write_tiny_mllama)(Path(scratch) / "checkpoint")
        model = VisionLanguageModel(folder, name=options.config, tasks=("grade", "box"), dtype=options.dtype, **asking)
    if options.config == REAL:
        tiny = model._checkpoint
        tiny.processor.image_processor.size = {"height": 560, "width": 560}
        model._checkpoint = replace(tiny, model=real_network(tiny.model.generation_config))
    return model


def real_network(generation: Any, built: list[Any] = []) -> Any:  # noqa: B006 (one network for all ways of asking)
    """Llama-3.2-11B-Vision's configuration (transformers' default but for the image's size) with random weights."""
    if not built:
        config = MllamaConfig(vision_config={"image_size": 560})
        with torch.device("cuda"):
            built.append(MllamaForConditionalGeneration._from_config(config, dtype=torch.bfloat16).eval())
        built[0].generation_config = generation
    return built[0]


def report(options: argparse.Namespace, result: Result) -> None:
    table = Table("what", "value", title=f"{options.part}, {options.config}")
    for name, value in result.items():
        table.add_row(name, json.dumps(value))
    Console().print(table)
    conditions = {
        "benchmark": f"asking-{options.part}",
        "model": options.config,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "dtype": "bfloat16" if options.config == REAL else options.dtype,
        "threads": options.threads,
        "clock": options.clock,
        "rounds": options.rounds,
        "tokens": options.tokens,
        "batch": options.batch,
    }
    print(json.dumps(conditions | result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("part", choices=["choice", "repeats", "constrained", "memory", "peak"])
    parser.add_argument("--config", choices=[*TINY, REAL], default="tiny-mllama")
    parser.add_argument("--slices", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=95)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="of the tiny models")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.part == "peak":
        return peak(options)
    parts = {"choice": choice, "repeats": repeats, "constrained": constrained, "memory": memory}
    return report(options, parts[options.part](options))


if __name__ == "__main__":
    main()
