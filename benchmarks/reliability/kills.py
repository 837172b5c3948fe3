"""Kill a run again and again (SIGKILL, at seeded moments), and hold its end against that of a run that was left alone.

    python benchmarks/reliability/kills.py [--work FOLDER] [--kills 100] [--pairs 10] [--seed 0]

The same command is started and killed until it ends by itself, then once more on an empty folder, until so many kills
are done. What has to hold: no other end than by the signal or by itself, tables and weights equal to those of the run
that was left alone, no question answered twice, no answer lost.

Then pairs of the same command are started on one folder, the second a seeded moment behind the first. What has to hold:
each ends by itself or in the message that names the other, and the folder as above.
"""

import argparse
import json
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from run_folder import Place, command, different_tables, import_everything, keys_in, make_run, start
from safetensors.torch import load_file

MEAN_S = 4.0  # from a start to its kill, drawn from an exponential distribution
PATIENCE = 10  # kills after which the mean is twice as long: some step may take longer on a busy machine


def chain(place: Place, rng: random.Random, counts: Counter[str], killed_in: Counter[str]) -> Iterator[str]:
    """Start and kill until a run ends by itself; the faults."""
    shutil.rmtree(place.live)
    for killed in count():
        mean_s = MEAN_S * (1 + killed / PATIENCE)
        ended = command(place.arguments("run"), kill_after_s=rng.expovariate(1 / mean_s))
        if ended.status == 0:
            break
        if ended.status != -signal.SIGKILL:
            yield f"ended with {ended.status}:\n{ended.said}"
            return
        counts["kills"] += 1
        killed_in[stage_of(ended.said)] += 1
        print(f"{counts['kills']} kills, {stage_of(ended.said)}", file=sys.stderr, flush=True)
    yield from different(place)


def pair(place: Place, rng: random.Random, counts: Counter[str]) -> Iterator[str]:
    """Two commands on one folder at once, then one; the faults."""
    shutil.rmtree(place.live, ignore_errors=True)
    first = start(place.arguments("run"))
    time.sleep(rng.uniform(0, MEAN_S))
    second = start(place.arguments("run"))
    for ended in (second.ended(), first.ended()):
        refused = ended.status == 2 and "is in progress: process" in ended.said.replace("\n", " ")
        counts["refused"] += refused
        if ended.status != 0 and not refused:
            yield f"one of two ended with {ended.status}:\n{ended.said}"
    if (ended := command(place.arguments("run"))).status != 0:
        yield f"after two ended with {ended.status}:\n{ended.said}"
    yield from different(place)


def stage_of(said: str) -> str:
    """The stage that a killed run was in, as far as its last words say: behind the last one that it was done with."""
    done = re.findall(r"^(\w+)[\w-]*: (?:done in|skipped)", said, re.MULTILINE)
    return f"after {done[-1]}" if done else "before all"


def different(place: Place) -> Iterator[str]:
    """What is not as in the run that was left alone."""
    for table in different_tables(place.whole, place.live):
        yield f"table {table}"
    if absent := {path.name for path in (place.whole / "scores").iterdir()} - {
        path.name for path in (place.live / "scores").iterdir()
    }:
        yield f"tables {', '.join(sorted(absent))} are missing"
    for path in sorted((place.whole / "networks").rglob("*.safetensors")):
        expected, found = load_file(path), load_file(place.live / path.relative_to(place.whole))
        if not all(tensor.equal(found[name]) for name, tensor in expected.items()):
            yield f"weights {path.relative_to(place.whole)}"
    for path in sorted((place.whole / "answers").glob("*.jsonl")):
        keys, expected_keys = keys_in(place.live / "answers" / path.name), keys_in(path)
        if len(keys) != len(set(keys)):
            yield f"{path.name}: {len(keys) - len(set(keys))} questions are answered twice"
        if set(keys) != set(expected_keys):
            yield f"{path.name}: {len(set(keys) ^ set(expected_keys))} questions are other ones"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/fire"), help="where the run and its copy lie")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    import_everything()
    place, begun = make_run(arguments.work.resolve()), time.perf_counter()
    rng, counts, killed_in = random.Random(arguments.seed), Counter[str](), Counter[str]()
    while counts["kills"] < arguments.kills:
        counts["runs"] += 1
        for fault in chain(place, rng, counts, killed_in):
            counts["faults"] += 1
            print(f"--- {fault}", flush=True)
    for _ in range(arguments.pairs):
        counts["pairs"] += 1
        for fault in pair(place, rng, counts):
            counts["faults"] += 1
            print(f"--- {fault}", flush=True)
    line = {name: counts[name] for name in ("kills", "runs", "pairs", "refused", "faults")}
    print(json.dumps({**line, "killed": dict(killed_in), "seconds": round(time.perf_counter() - begun)}))


if __name__ == "__main__":
    main()
