"""Hostile and odd study files, through `plan` and `run`: each has to be refused at once, with file and line.

    python benchmarks/reliability/studies.py --seed 0 [--every 1]

Every key of the project's own study files gets values that no study means, beside files that are no study at all, odd
prompt and answer files, and odd folders. Each is tried in a process of its own with limits on time and memory, on two
phantom patients. Prints a table and one line of JSON. Goal: all refused, nothing else.
"""

import argparse
import json
import os
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

STUDIES = Path(__file__).resolve().parents[2] / "studies"
VERBS = ("plan", "run")
LIMIT_S, LIMIT_MIB = 20.0, 500  # of one try, beyond what the process has before
OUTCOMES = ("refused", "refused without a line", "accepted", "traceback", "no end", "too much memory")
FREE_TEXT = {"title", "cohort", "source", "sampling", "notes", "name"}
OR_SO: Mapping[str, Any] = {"balance_grades": True, "view": {}}  # words that can also be this
PATHS = {"file", "prompts", "weights", "start", "answers", "checkpoint"}  # `plan` lists what is not there

NO_NUMBERS = (-1, 10**12, 10**40, 1e30, float("nan"), float("inf"), True, "many", [], {})
NO_WORDS = (3, 1.5, True, "", "a\0b", "a\x1bb", "x" * 5000, [], {}, "no such word!")
NO_LISTS = (3, "no such word!", {"a": 1}, [[]], [{"no_such_key": 1}], [None], ["x" * 5000])
NO_PARTS = (3, "no such word!", [1], {"no_such_key": 1})

BASE = "name: odd\nmodels:\n  - {kind: baseline, name: majority-grade}\n"
VLM = "name: odd\nmodels:\n  - {{kind: vlm, name: untrained, checkpoint: tiny-mllama, {}}}\n"
HELD = "name: odd\nmodels:\n  - {{kind: replay, name: held, {}}}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
TEXTS: Mapping[str, bytes] = {
    "nothing": b"",
    "spaces alone": b"  \n\n",
    "a comment alone": b"# name: x\n",
    "a list": b"- a\n- b\n",
    "a word": b"study\n",
    "a number": b"3\n",
    "itself": b"name: &x [*x]\n",
    "itself as a mapping": b"&x\nname: *x\n",
    "itself by a merge key": b"&x\n<<: *x\nname: odd\n",
    "deep lists": b"name: " + b"[" * 100_000,
    "deep closed lists": b"name: " + b"[" * 5000 + b"]" * 5000,
    "deep mappings": b"name: " + b"{a: " * 5000 + b"}" * 5000,
    "deep by indentation": "".join(f"{' ' * n}a:\n" for n in range(400)).encode(),
    "an alias bomb": BOMB.encode(),
    "a merge bomb": b"a: &a {x: 1}\n" + b"".join(b"k%d: {<<: [%s]}\n" % (n, b"*a, " * 500) for n in range(90)),
    "an alias of nothing": b"name: *x\n",
    "a bad date": BASE.encode() + b"slices: {every: 2024-13-45}\n",
    "a bad date as a name": BASE.replace("odd", "2024-13-45 99:99:99").encode(),
    "a date by a tag": BASE.encode() + b"cohort: !!timestamp 2024-13-45\n",
    "a Python tag": b"name: !!python/object/apply:os.system [true]\n",
    "a Python name": b"name: !!python/name:os.system\n",
    "a tag of its own": b"name: !study odd\n",
    "bytes by a tag": b"name: !!binary b2Rk\n",
    "a set by a tag": b"name: !!set {odd}\n",
    "a number by a tag": b"name: odd\nslices: {every: !!int many}\n",
    "5,000 digits": BASE.encode() + b"split: {seed: " + b"9" * 5000 + b"}\n",
    "5,000 digits in quotes": BASE.encode() + b"split: {seed: '" + b"9" * 5000 + b"'}\n",
    "a float beyond floats": BASE.encode() + b"split: {test_share: 1e999}\n",
    "a key twice": BASE.encode() + b"name: again\n",
    "a key twice, inside": BASE.encode() + b"split: {seed: 1, seed: 2}\n",
    "a key that is a list": BASE.encode() + b"? [a]\n: 1\n",
    "a key that is a number": BASE.encode() + b"3: 1\n",
    "a key that is null": BASE.encode() + b"~: 1\n",
    "a key that is true": BASE.encode() + b"on: 1\n",
    "two documents": BASE.encode() + b"---\n" + BASE.encode(),
    "a tab": b"name: odd\nmodels:\n\t- {kind: baseline, name: empty}\n",
    "UTF-16": BASE.encode("utf-16"),
    "Latin-1": "name: odd\ncohort: Köln\n".encode("latin-1"),
    "random bytes": random.Random(0).randbytes(4096),
    "a zero byte": BASE.encode() + b"cohort: a\0b\n",
    "a zero byte by its escape": BASE.encode() + b'cohort: "a\\0b"\n',
    "half a character by its escape": BASE.encode() + b'cohort: "\\ud800"\n',
    "an escape sequence": BASE.encode() + b'cohort: "\\e[2J"\n',
    "one line of a megabyte": b"name: " + b"x" * 2**20,
    "21,000 keys": "".join(f"k{n}: 1\n" for n in range(21_000)).encode(),
    "an open quote": b'name: "odd\n',
    "another version of YAML": b"%YAML 9.9\n---\n" + BASE.encode(),
    "a name for a folder above": BASE.replace("odd", "..").encode(),
    "a name with a slash": BASE.replace("odd", "a/b").encode(),
    "a name too long": BASE.replace("odd", "a" * 300).encode(),
    "names alike but for capitals": BASE.encode() + b"  - {kind: classical, name: Majority-Grade}\n",
    "planes twice": BASE.encode() + b"slices: {planes: [axial, axial]}\n",
    "tasks twice": BASE.encode() + b"tasks: [grade, grade]\n",
    "no planes": BASE.encode() + b"slices: {planes: []}\n",
    "no tasks": BASE.encode() + b"tasks: []\n",
    "a shape of 0": BASE.encode() + b"grid: {shape: [0, 16, 16]}\n",
    "a negative shape": BASE.encode() + b"grid: {shape: [-8, 16, 16]}\n",
    "an enormous shape": BASE.encode() + b"grid: {shape: [1000, 1000, 1000]}\n",
    "two sizes": BASE.encode() + b"grid: {shape: [16, 16]}\n",
    "a seed beyond 32 bits": BASE.encode() + b"split: {seed: 4294967296}\n",
    "a billion folds": BASE.encode() + b"split: {folds: 1000000000}\n",
    "an enormous rank": VLM.format("finetune: {rank: 1000000000}").encode(),
    "no checkpoint": VLM.format("adapter: ''").encode(),
    "a checkpoint that no hub has": BASE.encode() + b"  - {kind: vlm, name: a, checkpoint: 'a b/c?d'}\n",
    "another's home": BASE.encode() + b"  - {kind: vlm, name: a, checkpoint: ~nobody/x}\n",
    "a file name too long": BASE.encode() + b"split: {file: " + b"x" * 300 + b".json}\n",
    "a port beyond ports": BASE.encode() + b"  - {kind: openai, name: a, model: m, base_url: 'http://h:99999/v1'}\n",
    "a broken address": BASE.encode() + b"  - {kind: openai, name: a, model: m, base_url: 'http://[::1/v1'}\n",
    "a trainer in a folder above": BASE.encode() + b"  - {kind: nnunet, name: a, trainer: ../x}\n",
    "no entry of a replication": b"name: odd\ncohort: x\nreplay: []\n",
    "a replication of nothing": b"name: odd\ncohort: x\nreplay:\n  - {name: a, task: grade, answers: nowhere}\n",
    "a replication with a bad figure": b"name: odd\ncohort: x\nreplay:\n  - {name: a, task: grade, answers: .}\n"
    b"constants:\n  - {name: b, task: grade, source: s, figures: {auc: .nan}}\n",
}
PROMPTS = (
    *("itself", "deep lists", "an alias bomb", "a bad date", "a Python tag", "5,000 digits", "a key twice", "UTF-16"),
    *("random bytes", "nothing", "a list", "two documents", "one line of a megabyte", "Latin-1"),
)


@dataclass(frozen=True)
class Case:
    """`build` writes what it needs into a folder and gives the arguments after the verb, all but the usual cohort and
    output; `named`: what the message has to name, as a regular expression."""

    name: str
    build: Callable[[Path], Sequence[str]]
    named: str = r"odd\.yaml:(\d+: | \d+ bytes)"


def cases(seed: int) -> list[Case]:
    """All of them; the same seed gives the same."""
    texts = [Case(f"file: {name}", partial(_study, text)) for name, text in TEXTS.items()]
    return [*texts, *_of_files(), *_of_folders(), *_mutations(random.Random(seed))]


def _study(text: bytes, folder: Path) -> Sequence[str]:
    (folder / "odd.yaml").write_bytes(text)
    return [str(folder / "odd.yaml")]


def _of_files() -> Iterator[Case]:
    makes: Mapping[str, Callable[[Path], Any]] = {
        "a folder": Path.mkdir,
        "a pipe": os.mkfifo,
        "a device": lambda path: path.symlink_to("/dev/zero"),
        "a link to itself": lambda path: path.symlink_to(path),
    }
    for name, make in makes.items():
        yield Case(f"file: {name}", partial(_in_place, make), r"odd\.yaml")
    yield Case("file: not there", lambda at: [str(at / "odd.yaml")], r"odd\.yaml")
    for name in PROMPTS:
        yield Case(f"prompts: {name}", partial(_beside, VLM.format("prompts: own.yaml"), "own.yaml", TEXTS[name]))
    for key, ending in (("answers", "csv"), ("answers", "jsonl"), ("answers", "parquet"), ("answers", "txt")):
        text = HELD.format(f"{key}: own.{ending}")
        yield Case(f"{key}: random bytes, .{ending}", partial(_beside, text, f"own.{ending}", TEXTS["random bytes"]))
    for kind, text in (
        ("prompts", VLM.format("prompts: own")),
        ("answers", HELD.format("answers: own")),
        ("masks", HELD.format("masks: own")),
        ("split", BASE + "split: {file: own}\n"),
        ("exclude", BASE + "split: {exclude: [own]}\n"),
        ("weights", BASE + "  - {kind: network, name: n, network: mask-segmenter, weights: own}\n"),
        ("start", BASE + "  - {kind: network, name: n, network: mask-segmenter, start: own}\n"),
        ("python", BASE + "  - {kind: nnunet, name: n, python: own}\n"),
    ):
        yield Case(f"{kind}: a pipe", partial(_special, text, os.mkfifo))
        if kind in ("prompts", "split", "python"):
            yield Case(f"{kind}: a folder", partial(_special, text, Path.mkdir))
        elif kind != "exclude":
            yield Case(f"{kind}: a file", partial(_special, text, Path.touch))
    for ending, content in (("json", TEXTS["random bytes"]), ("json", b"[" * 200_000), ("npz", b"PK\3\4 and no more")):
        text = BASE + f"split: {{file: own.{ending}}}\n"
        yield Case(f"split: no {ending}: {content[:4]!r}", partial(_beside, text, f"own.{ending}", content))


def _in_place(make: Callable[[Path], Any], folder: Path) -> Sequence[str]:
    return [str(_made(folder / "odd.yaml", make))]


def _made(path: Path, make: Callable[[Path], Any]) -> Path:
    make(path)
    return path


def _beside(study: str, name: str, content: bytes, folder: Path) -> Sequence[str]:
    (folder / name).write_bytes(content)
    return _study(study.encode(), folder)


def _special(study: str, make: Callable[[Path], Any], folder: Path) -> Sequence[str]:
    make(folder / "own")
    return _study(study.encode(), folder)


def _of_folders() -> Iterator[Case]:
    def odd(name: str, arguments: Callable[[Path], Sequence[str]]) -> Case:
        return Case(name, lambda at: [*_study(BASE.encode(), at), *arguments(at)], "--out|--cohort|--store")

    yield odd("--out: a file", lambda at: ["--out", str(_made(at / "out", Path.touch))])
    yield odd("--out: below a file", lambda at: ["--out", str(_made(at / "file", Path.touch) / "out")])
    yield odd("--out: a zero byte", lambda at: ["--out", str(at / "a\0b")])
    yield odd("--out: too long a name", lambda at: ["--out", str(at / ("x" * 300))])
    yield odd("--out: the cohort", lambda at: ["--out", str(at.parent / "cohort")])
    yield odd("--out: in the cohort", lambda at: ["--out", str(at.parent / "cohort" / "runs" / "x")])
    yield odd("--store: a file", lambda at: ["--store", str(_made(at / "store", Path.touch))])
    yield odd("--cohort: a pipe", lambda at: ["--cohort", str(_made(at / "cohort.csv", os.mkfifo))])
    yield odd("--cohort: a zero byte", lambda at: ["--cohort", str(at / "a\0b")])


def _mutations(draw: random.Random) -> Iterator[Case]:
    """Every key of the project's studies with every value that it cannot mean, in one of the files that have it."""
    found: dict[str, list[tuple[dict[str, Any], tuple[str | int, ...]]]] = {}
    for path in sorted(STUDIES.glob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        for place in _places(content, ()):
            found.setdefault(".".join(str(key) for key in place if isinstance(key, str)), []).append((content, place))
    for key, where in sorted(found.items()):
        content, place = draw.choice(where)
        for value in _no_values(_at(content, place), str(place[-1])):
            changed = json.loads(json.dumps(content))
            _at(changed, place[:-1])[place[-1]] = value
            text = yaml.safe_dump(changed, allow_unicode=True, sort_keys=False).encode()
            yield Case(f"{key}: {str(value)[:20]!r}", partial(_study, text))


def _places(content: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from _places(value, (*at, key))


def _at(content: Any, place: Sequence[str | int]) -> Any:
    for key in place:
        content = content[key]
    return content


def _no_values(value: Any, key: str) -> Sequence[Any]:
    if isinstance(value, dict):
        return NO_PARTS
    if isinstance(value, list):
        return NO_LISTS
    if isinstance(value, int | float):
        return [one for one in NO_NUMBERS if not isinstance(value, bool) or one is not True]
    meant = {"", "no such word!"} if key in FREE_TEXT else {"no such word!"} if key in PATHS else set()
    words = [one for one in NO_WORDS if not (isinstance(one, str) and one in meant)]
    return [one for one in words if key not in OR_SO or one != OR_SO[key]]


def attempt(case: Case, verb: str, folder: Path) -> tuple[str, str]:
    """One verb on one case, in a process of its own: the outcome and what was said. `folder` has `cohort` in it."""
    at = Path(tempfile.mkdtemp(dir=folder))
    arguments = [verb, *case.build(at)]
    arguments += [] if "--cohort" in arguments else ["--cohort", str(folder / "cohort")]
    out = at / "run"
    arguments += [] if "--out" in arguments else ["--out", str(out)]
    said = at / "said.txt"
    process = os.fork()
    if process == 0:
        _child(arguments, said)
    status = _waited(process)
    text = said.read_text(errors="replace") if said.exists() else ""
    if status is None:
        return "no end", text
    if os.WIFSIGNALED(status) or "MemoryError" in text:
        return "too much memory", text
    code = os.WEXITSTATUS(status)
    if code == 70:
        return "traceback", text
    if code != 2 or out.exists():
        return "accepted", text
    return ("refused" if re.search(case.named, text) else "refused without a line"), text


def _child(arguments: Sequence[str], said: Path) -> None:
    code = 70
    try:
        with said.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout = sys.stderr = file
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_MIB * 2**20,) * 2)
            sys.argv = ["gliobench", *arguments]
            from gliobench.cli.app import main

            try:
                main()
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
            except BaseException:
                traceback.print_exc()
    finally:
        os._exit(code)


def _waited(process: int) -> int | None:
    """The status with which a process ended; None where it had to be killed."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.005)
    os.kill(process, 9)
    os.waitpid(process, 0)
    return None


def prepared(folder: Path) -> None:
    """Write the phantom patients, and import what every try needs, so that each process starts with it."""
    import gliobench.cli.app
    import gliobench.study.config.replay
    import gliobench.study.plan.make
    import gliobench.study.plan.printing
    import gliobench.study.replication.run
    import gliobench.study.run  # noqa: F401
    from gliobench.cohort.phantom import write_phantom

    os.environ["HF_HUB_OFFLINE"] = "1"
    write_phantom(folder / "cohort", subjects=2, seed=0, spacing_mm=4)


def campaign(tried: Sequence[Case], folder: Path) -> list[tuple[str, str, str, str]]:
    """(case, verb, outcome, text) of every try."""
    return [(case.name, verb, *attempt(case, verb, folder)) for case in tried for verb in VERBS]


def main() -> None:
    """Try all, or every n-th."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="only every n-th file")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        prepared(Path(folder))
        found = campaign(cases(options.seed)[:: options.every], Path(folder))
    for name, verb, outcome, text in found:
        if outcome != "refused":
            print(f"{outcome}: {verb}: {name}\n    {text.strip()[-400:]}")
    counts = Counter((verb, outcome) for _, verb, outcome, _ in found)
    print(f"\n{'':24}" + "".join(f"{verb:>8}" for verb in VERBS))
    for outcome in OUTCOMES:
        print(f"{outcome:24}" + "".join(f"{counts[verb, outcome]:8}" for verb in VERBS))
    totals = {outcome: sum(counts[verb, outcome] for verb in VERBS) for outcome in OUTCOMES}
    print(json.dumps({"files": len(found) // len(VERBS), **totals, "seconds": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()
