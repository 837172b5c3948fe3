"""Damage every kind of file of a run folder in every way, and count what becomes of it.

    python benchmarks/reliability/folders.py [--work FOLDER] [--kinds 5] [--damages 13] [--match answers/] [--seed 0]

Of each kind of file one is taken (seeded), and damaged in each of 13 ways. Then the study is run as it is; where it
reads the file, again with its scores to be made anew, and again with every model to be built anew; and verbs are
called alone. What has to hold: no traceback, no command without end, no table that differs from the undamaged run's
after a command that says nothing is wrong, no answer lost that was not in the damaged file; where a command refuses, it
names the file, and `gliobench repair` and the same command again end with the undamaged tables.
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from run_folder import TRACEBACK, Place, command, different_tables, import_everything, keys_in, make_run

Damage = Callable[[Path, Path, random.Random], None]  # of a file, with another of its kind
ANSWERS = ("radiomics", "segmenter", "sam-untrained", "mllama-untrained")  # grades, volumes, slices, texts
VERBS = ("plan", "score", "report", "predict")
FAULTS = ("traceback", "without end", "silent change", "lost answers", "unnamed", "no way on")


def _flip(path: Path, other: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes() or b"\0")  # a lock is empty
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _replace(data: Callable[[bytes, random.Random], bytes]) -> Damage:
    return lambda path, other, rng: path.write_bytes(data(path.read_bytes(), rng)) and None


def _folder(path: Path, other: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("else")


def _link(path: Path, other: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: Mapping[str, Damage] = {
    "emptied": _replace(lambda data, rng: b""),
    "cut in half": _replace(lambda data, rng: data[: len(data) // 2]),
    "a bit flipped": _flip,
    "garbage": _replace(lambda data, rng: rng.randbytes(max(len(data), 64))),
    "another type": _replace(lambda data, rng: b'{"keys": 3, "content": [1]}\n'),
    "null": _replace(lambda data, rng: b"null\n"),
    "deleted": lambda path, other, rng: path.unlink(),
    "a folder": _folder,
    "a link to nowhere": _link,
    "another's content": lambda path, other, rng: path.write_bytes(other.read_bytes()) and None,
    "lines twice": _replace(lambda data, rng: b"".join(line + line for line in data.splitlines(keepends=True))),
    "Windows line ends": _replace(lambda data, rng: data.replace(b"\n", b"\r\n")),
    "a byte order mark": _replace(lambda data, rng: b"\xef\xbb\xbf" + data),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one damaged file: "harmless", "made again", "refused", or one of `FAULTS`; and what was said."""

    what: str
    said: str = ""


def kind(path: Path) -> str:
    """What a file is, whatever patient or fold it belongs to, and whatever model but for the files of answers."""
    first, *rest = path.parts
    if first in ("grid", "features"):
        return f"{first}/{path.name if first == 'grid' else path.suffix}"
    if first == "answers":
        return "/".join(
            [first, *rest[:-1], ("core" if "-core" in path.name else "") + re.sub(r"^[^.]*", "", path.name)]
        )
    if first == "stamps" and path.suffix == ".json":
        return f"{first}/{path.name.split('-')[0].removesuffix('.json')}.json"
    if first in ("stamps", "checkpoints", "report"):
        return f"{first}/{path.suffix}"
    return path.as_posix()


def kinds(whole: Path, rng: random.Random) -> dict[str, tuple[Path, Path]]:
    """One file of each kind, and another of the same ending; of answers, one of each of four models."""
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    by_kind: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix != ".jsonl":
            by_kind.setdefault(kind(path), []).append(path)
        elif path.stem in ANSWERS:
            by_kind[path.as_posix()] = [path]
    found = {}
    for name, paths in by_kind.items():
        path = rng.choice(paths)
        like = [one for one in paths if one != path] or [one for one in files if one.suffix == path.suffix != one]
        found[name] = path, rng.choice([one for one in like if one != path] or files)
    return found


def to_be_done(live: Path, stages: str) -> None:
    """Have stages be done again, by taking their stamps away; radiomics, which takes the longest, only by its name."""
    for path in live.glob(f"stamps/{stages}.json"):
        if path.stem != "predict-radiomics" or stages == path.stem:
            path.unlink()


def judge(place: Place, damaged: Path, before: Mapping[str, set[str]]) -> Outcome:
    """Run the study on the damaged folder, and say what became of it."""
    ended = command(place.arguments("run"))
    outcome = _evaluated(place, ended.status, ended.said, damaged)
    if outcome.what == "refused":
        repaired = command(["repair", str(place.live)])
        if repaired.status == TRACEBACK:
            return Outcome("traceback", repaired.said)
        again = command(place.arguments("run"))
        if again.status == TRACEBACK or again.status is None:
            return Outcome("traceback" if again.status else "without end", again.said)
        if again.status != 0 or different_tables(place.whole, place.live):
            said = ended.said + repaired.said + again.said + str(different_tables(place.whole, place.live))
            return Outcome("no way on", said)
    if outcome.what not in FAULTS:
        for name, keys in before.items():
            if lost := keys - set(keys_in(place.live / "answers" / name)):
                return Outcome("lost answers", f"{len(lost)} of {name}\n{ended.said}")
    return outcome


def judge_alone(place: Place) -> Outcome:
    """Whether a verb that is called alone on the damaged folder, one after the other, ends in a traceback."""
    calls = [["compare", str(place.live)], *(place.arguments(verb) for verb in VERBS)]
    for call in calls:
        ended = command(call)
        if ended.status is None or ended.status == TRACEBACK or ended.status < 0:
            return Outcome("without end" if ended.status is None else "traceback", f"{call[0]}: {ended.said}")
    return Outcome("without a traceback")


def _evaluated(place: Place, status: int | None, said: str, damaged: Path) -> Outcome:
    if status is None:
        return Outcome("without end", said)
    if status == TRACEBACK or "Traceback (most recent call last)" in said or status < 0:
        return Outcome("traceback", said)
    if status:
        flat = said.replace("\n", "")
        named = damaged.name in flat or damaged.parent.name in flat or damaged.stem.split("-core")[0] in flat
        return Outcome("refused" if named else "unnamed", said)
    if different := different_tables(place.whole, place.live):
        return Outcome("silent change", f"{different}\n{said}")
    return Outcome("made again" if "damaged" in said or "missing" in said or "done in" in said else "harmless", said)


def _again(path: Path) -> dict[str, str]:
    """What is to be done, each with the stamps that are taken away for it."""
    room, own = path.parts[0], path.name.split(".")[0]
    scored = {"scored again": "score"} if room in ("grid", "answers", "prepared.json", "split.json") else {}
    asked = {"asked again": "predict-*"} if room in ("grid", "networks", "features", "checkpoints") else {}
    if path.parent.name == "answers":
        asked = {"asked again": f"predict-{own}"}
    return {"as is": "none", **scored, **asked, "verbs alone": "none"}


def campaign(
    place: Place, seed: int, only: int | None, damages: int, match: str
) -> Iterator[tuple[str, str, str, Outcome]]:
    """Kind of file, damage, what was to be done, and the outcome."""
    rng = random.Random(seed)
    before = {path.name: set(keys_in(path)) for path in (place.whole / "answers").glob("*.jsonl")}
    chosen = kinds(place.whole, rng)
    names = [name for name in sorted(chosen) if re.search(match, name)]
    names = names if only is None else sorted(rng.sample(names, only))
    for name in names:
        path, other = chosen[name]
        for turn, damage in enumerate(rng.sample(list(DAMAGES), damages), start=names.index(name)):
            for what, stages in _again(path).items():
                if what == "verbs alone" and turn % 3:
                    continue  # they take the longest
                place.restore()
                to_be_done(place.live, stages)
                DAMAGES[damage](place.live / path, place.whole / other, rng)
                yield name, damage, what, judge_alone(place) if what == "verbs alone" else judge(place, path, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/fire"), help="where the run and its copy lie")
    parser.add_argument("--kinds", type=int, help="only so many kinds of file, drawn by the seed")
    parser.add_argument("--damages", type=int, default=len(DAMAGES), help="only so many ways, drawn for each kind")
    parser.add_argument("--match", default="", help="only kinds of file whose path this expression finds")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    import_everything()
    place, start = make_run(arguments.work.resolve()), time.perf_counter()
    counts: Counter[str] = Counter()
    reached = ""
    for name, damage, what, outcome in campaign(
        place, arguments.seed, arguments.kinds, arguments.damages, arguments.match
    ):
        counts[outcome.what] += 1
        if name != reached:
            reached = name
            print(f"{counts.total()} cases, now {name}", file=sys.stderr, flush=True)
        if outcome.what in FAULTS:
            last = "\n".join(outcome.said.strip().splitlines()[-14:])
            print(f"--- {outcome.what}: {name}, {damage}, {what}\n{last}", flush=True)
    line = {"cases": counts.total(), **{fault: counts[fault] for fault in FAULTS}}
    line |= {what: counts[what] for what in ("harmless", "made again", "refused", "without a traceback")}
    print(json.dumps({**line, "seed": arguments.seed, "seconds": round(time.perf_counter() - start)}))


if __name__ == "__main__":
    main()
