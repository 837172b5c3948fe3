"""Changed answers through the parsers of all tasks: what says the same is read the same, and nothing becomes a figure
that the text does not say.

    python benchmarks/reliability/answers.py --seed 0 --cases 50000 [--replication ../Healthcare-LLM-Thesis]

Every case is a value drawn at random, written in one of the ways in which models write it, and changed in a way whose
effect is known: `same` (dressed otherwise: it has to be read as the value), `cut` (by the token limit, anywhere: the
value or no answer), `another` (a second, different answer behind it: one of the two, or none), `own frame` (marks of a
model that counts otherwise, undeclared: no answer), `noise` (characters changed at random: any answer, but an answer).
`recorded` texts, where a folder is given, are cut as well: what is left is read as the whole was, or not at all.
Prints a table and one line of JSON. Goal: 0 tracebacks, 0 wrong, no text that takes over 50 ms of processor time.
"""

import argparse
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.replay.read import read_external
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.chain import coarsen
from gliobench.tasks.coordinates import AS_ASKED
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon, Value
from gliobench.tasks.outline import trace_outline
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 0, (128, 128), (1.0, 1.0))
LIMIT_MS = 50.0
CHANGES = ("same", "cut", "another", "own frame", "noise")

GRADES = (
    "Choice: {n}",
    "{n}",
    "**{n}**",
    "Answer: {n}",
    '{{"answer": {n}}}',
    "Classification: {word} ({n})",
    "\\boxed{{{n}}}",
)
WORDS = ("Low Grade Glioma", "High Grade Glioma", "No Glioma")
CENTRES = (
    "({r}, {c})",
    "[{r}, {c}]",
    "{r}, {c}",
    "row {r}, column {c}",
    "The centre is at ({r}, {c}).",
    "The centre of the tumour is at (x, y) = ({c}, {r}).",
    '{{"row": {r}, "col": {c}}}',
    "x={c}, y={r}",
    "**Centre:** `({r}, {c})`",
)
BOXES = (
    "({a}, {b}, {c}, {d})",
    "[{a}, {b}, {c}, {d}]",
    "Bounding box: [[{a}, {b}], [{c}, {d}]]",
    "row_min: {a}, col_min: {b}, row_max: {c}, col_max: {d}",
    "[x1, y1, x2, y2] = [{b}, {a}, {d}, {c}]",
    "(({a}, {b}), ({a}, {d}), ({c}, {d}), ({c}, {b}))",
    "rows {a} to {c}, columns {b} to {d}",
    '{{"x1": {b}, "y1": {a}, "x2": {d}, "y2": {c}}}',
    "The tumour's box is ({a}, {b}, {c}, {d}).",
)
BEFORE = (
    "",
    "Here is my answer:\n",
    "\n\n  ",
    "**Answer:** ",
    "Answer: ",
    "\ufeff",
    "Looking at the slice, I find:\n\n",
)
AFTER = ("", "\n", "  \n\n", "\r\n", "\n\nI hope this helps.", "\n\nPlease consult a radiologist.", " ")
THOUGHTS = (
    "<think>Perhaps (1, 2)? Or {t}.</think>",
    "<thinking>HGG, 0? (3, 4, 5, 6)</thinking>\n",
    "hm, (7, 8)\n</think>\n",
)
FENCES = ("{t}", "```\n{t}\n```", "`{t}`", "**{t}**", "{t}.", "> {t}")
OWN_FRAMES = (
    '[{{"bbox_2d": [{b}, {a}, {d}, {c}], "label": "tumor"}}]',
    '[{{"box_2d": [{a}, {b}, {c}, {d}], "label": "tumor"}}]',
    "<|box_start|>({b},{a}),({d},{c})<|box_end|>",
    "<loc{a:04d}><loc{b:04d}><loc{c:04d}><loc{d:04d}> tumor",
    "<ref>tumor</ref><box>[[{b}, {a}, {d}, {c}]]</box>",
    '<point x="{b}.5" y="{a}.5" alt="tumor">tumor</point>',
    '{{"point_2d": [{b}, {a}]}}',
)


@dataclass(frozen=True)
class Case:
    """A changed text. `may`: the values that it may be read as; None: any. `must`: it has to be one of them."""

    change: str
    task: str
    text: str
    cut_off: bool
    may: tuple[Value | None, ...] | None
    must: bool = False


@dataclass(frozen=True)
class Result:
    """What a case came to: `right`, `no answer` where that is allowed, `wrong`, `lost` or `traceback`."""

    outcome: str
    found: str
    took_ms: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--replication", type=Path, help="raw answers of the reference study, which are cut as well")
    options = parser.parse_args()
    every = [*cases(options.seed, options.cases)]
    if options.replication:
        every += recorded(options.seed, options.replication, options.cases // 5)
    results = [(case, tried(case)) for case in every]
    for line in table(results):
        print(line)
    print(json.dumps(totals(results)))
    return bool(faults(results))


def cases(seed: int, number: int) -> Iterator[Case]:
    """So many cases, all tasks and changes alike."""
    rng = random.Random(seed)
    tasks = list(TASKS)
    for count in range(number):
        task, change = tasks[count % len(tasks)], CHANGES[count // len(tasks) % len(CHANGES)]
        value = _value(rng, task)
        text = _written(rng, task, value)
        yield _changed(rng, change, task, value, text)


def recorded(seed: int, folder: Path, number: int) -> Iterator[Case]:
    """Texts that a model wrote, cut anywhere: where the whole is an answer, a piece is that answer or none."""
    rng = random.Random(seed)
    sets = [("grade", "general-axial"), ("centre", "general"), ("box", "general"), ("polygon", "general")]
    texts = [
        (task, one.text) for task, name in sets for one in read_external(folder / task / name, task).answers if one.text
    ]
    for task, text in rng.choices(texts, k=number):
        whole = TASKS[task].parse(text, FRAME, False, AS_ASKED)
        may = (whole.value,) if isinstance(whole, Answered) else None
        yield Case("recorded", task, text[: rng.randrange(len(text) + 1)], True, may)


def tried(case: Case) -> Result:
    """Read it, and hold what came against what may come."""
    start = time.process_time()
    try:
        answer = TASKS[case.task].parse(case.text, FRAME, case.cut_off, AS_ASKED)
    except Exception:
        return Result("traceback", traceback.format_exc(limit=-2), _ms(start))
    took = _ms(start)
    return Result(_outcome(case, answer), repr(answer)[:200], took)


def faults(results: Sequence[tuple[Case, Result]]) -> list[tuple[Case, Result]]:
    """What must not be."""
    return [
        (case, one) for case, one in results if one.outcome in ("wrong", "lost", "traceback") or one.took_ms > LIMIT_MS
    ]


def table(results: Sequence[tuple[Case, Result]]) -> Iterator[str]:
    """Counts by change, and the first of each kind of fault."""
    counts = Counter((case.change, one.outcome) for case, one in results)
    outcomes = ("right", "no answer", "wrong", "lost", "traceback")
    yield f"{'':12}" + "".join(f"{name:>12}" for name in outcomes)
    for change in dict.fromkeys(case.change for case, _ in results):
        yield f"{change:12}" + "".join(f"{counts[change, name]:12,}" for name in outcomes)
    shown: Counter[tuple[str, str, str]] = Counter()
    for case, one in faults(results):
        shown[case.change, case.task, one.outcome] += 1
        if shown[case.change, case.task, one.outcome] <= 3:
            yield f"{one.outcome}: {case.change}, {case.task}, {one.took_ms:.1f} ms: {case.text[:300]!r} -> {one.found}"


def totals(results: Sequence[tuple[Case, Result]]) -> dict[str, float]:
    """Counts over all cases, and the longest that one took (ms)."""
    counts = Counter(one.outcome for _, one in results)
    longest = max(one.took_ms for _, one in results)
    return {"cases": len(results), **dict(sorted(counts.items())), "longest_ms": round(longest, 2)}


def _outcome(case: Case, answer: Answer) -> str:
    if not isinstance(answer, Answered):
        return "lost" if case.must else "no answer"
    return "right" if case.may is None or any(_alike(answer.value, one) for one in case.may) else "wrong"


def _alike(one: Value | None, two: Value | None) -> bool:
    if isinstance(one, Mask) and isinstance(two, Mask):
        return bool(np.array_equal(one.pixels, two.pixels))
    return one == two


def _ms(start: float) -> float:
    return 1000 * (time.process_time() - start)


def _value(rng: random.Random, task: str) -> Value:
    if task == "grade":
        return Grade(rng.randrange(3))
    pixels = np.zeros(FRAME.shape, bool)
    row, column = rng.randrange(2, 80), rng.randrange(2, 80)
    rows, columns = np.ogrid[:128, :128]
    high, wide = rng.randrange(4, 22), rng.randrange(4, 22)
    pixels[((rows - row - high) / high) ** 2 + ((columns - column - wide) / wide) ** 2 <= 1] = True
    found = coarsen(Mask(FRAME, pixels), task)
    if isinstance(found, Point):
        return Point(FRAME, int(found.row), int(found.column))
    if isinstance(found, Polygon):
        return Polygon(FRAME, tuple((int(r), int(c)) for r, c in trace_outline(pixels) or ()))
    assert found is not None
    return found


def _written(rng: random.Random, task: str, value: Value) -> str:
    match value:
        case Grade(n):
            return rng.choice(GRADES).format(n=n, word=WORDS[n])
        case Point(_, row, column):
            return rng.choice(CENTRES).format(r=row, c=column)
        case Box(_, a, b, c, d):
            return rng.choice(BOXES).format(a=a, b=b, c=c, d=d)
    return TASKS[task].write(value)


def _changed(rng: random.Random, change: str, task: str, value: Value, text: str) -> Case:
    match change:
        case "same":
            return Case(change, task, _dressed(rng, task, text), False, (value,), must=True)
        case "cut":
            dressed = _dressed(rng, task, text, THOUGHTS[:2])  # a draft is none before its `</think>` has come
            return Case(change, task, dressed[: rng.randrange(len(dressed))], True, (value,))
        case "another":
            other = _value(rng, task)
            joined = rng.choice(("{}\n{}", "{}\n\nOr: {}", "{} or {}", "{}, {}", "{}. Alternatively, {}"))
            may: list[Value] = [value, other]
            if isinstance(value, Mask) and isinstance(other, Mask):  # one below the other they are one mask
                may.append(Mask(FRAME, value.pixels | other.pixels))
            return Case(change, task, joined.format(text, _written(rng, task, other)), False, tuple(may))
        case "own frame" if task in ("centre", "box", "polygon"):
            a, b, c, d = (rng.randrange(1, 127) for _ in range(4))
            return Case(change, task, rng.choice(OWN_FRAMES).format(a=a, b=b, c=c, d=d), False, ())
    return Case("noise", task, _noisy(rng, _dressed(rng, task, text)), rng.random() < 0.5, None)


def _dressed(rng: random.Random, task: str, text: str, thoughts: Sequence[str] = THOUGHTS) -> str:
    """The same in other clothes: thoughts and a sentence before it, Markdown around it, a sentence behind it."""
    if task == "mask":  # rows of runs are lines of their own
        fences: Sequence[str] = ("{t}", "```\n{t}\n```")
    else:
        fences = FENCES if "\\" not in text and "*" not in text and "`" not in text else ("{t}",)
    dressed = rng.choice(fences).replace("{t}", text)
    before = rng.choice(BEFORE if task != "mask" else ("", "Here is my answer:\n", "\n\n"))
    thought = rng.choice(thoughts).replace("{t}", text) if rng.random() < 0.25 else ""
    after = rng.choice(AFTER)
    return f"{thought}{before}{dressed}{after}"


def _noisy(rng: random.Random, text: str) -> str:
    changes: tuple[Callable[[str, int], str], ...] = (
        lambda text, at: text[:at] + text[at + 1 :],
        lambda text, at: text[:at] + rng.choice("()[]{},.:-–0123456789e \n\t<>|*`\\\x00\x1b\u202e中") + text[at:],
        lambda text, at: text[:at] + text[at:][::-1],
        lambda text, at: text[:at] * rng.choice((2, 50)) + text[at:],
    )
    for _ in range(rng.randrange(1, 6)):
        text = rng.choice(changes)(text, rng.randrange(len(text) + 1))[:5_000]
    return text


if __name__ == "__main__":
    sys.exit(main())
