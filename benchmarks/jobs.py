"""How much faster two workers are than one, and what a job costs beside its work: training folds, and asking a model.

    OMP_WAIT_POLICY=passive python benchmarks/jobs.py --workers 1 2

A study of phantom patients is prepared and split once; then its folds are trained and its language model is asked with
each number of workers, in a new folder each time, one thread per job. Wall time, and processor time of all jobs: on a
busy machine only the latter means anything. Says whether all scores are the same to the last byte. Ends in one line of
JSON.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from gliobench.cohort.phantom import write_phantom

STUDY = """\
name: jobs
grid: {{shape: [24, 32, 32]}}
split: {{test_share: 0.5, folds: 4, fold: all, seed: 1}}
slices: {{every: {every}}}
tasks: [grade, mask]
models:
  - {{kind: network, name: segmenter, network: mask-segmenter, train: {{epochs: {epochs}}}}}
  - {{kind: vlm, name: untrained, checkpoint: tiny-mllama, tasks: [grade], max_new_tokens: 32}}
"""


def command(*arguments: str) -> tuple[float, float]:
    """Wall and processor seconds of a command and all that it starts."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    whole = [sys.executable, "-m", "gliobench", *arguments]
    ended = subprocess.run(whole, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(arguments)}: {ended.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/jobs"))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--subjects", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    write_phantom(options.out / "patients", subjects=options.subjects, seed=3, spacing_mm=2)
    study = options.out / "study.yaml"
    study.write_text(STUDY.format(every=options.every, epochs=options.epochs))
    places = [str(study), "--cohort", str(options.out / "patients"), "--store", str(options.out / "grid"), "--out"]
    for verb in ("prepare", "split"):
        command(verb, *places, str(options.out / "made"))
    empty = command("split", *places, str(options.out / "made"))  # skipped: what a job costs beside its work
    found = {}
    for workers in options.workers:
        folder = options.out / f"workers-{workers}"
        shutil.copytree(options.out / "made", folder)
        wall, cpu = command("run", *places, str(folder), "--workers", str(workers))
        jobs = len(list((folder / "jobs").glob("*.log")))
        found[workers] = {"wall_s": round(wall, 1), "cpu_s": round(cpu, 1), "jobs": jobs}
        print(f"{workers} workers: {wall:.1f} s, {cpu:.1f} s of processor, {jobs} jobs", flush=True)
    tables = [
        {path.name: path.read_bytes() for path in (options.out / f"workers-{one}" / "scores").iterdir()}
        for one in options.workers
    ]
    first = found[options.workers[0]]["wall_s"]
    print(
        json.dumps(
            {
                "workers": found,
                "times": {one: round(first / found[one]["wall_s"], 2) for one in options.workers},
                "empty_job_cpu_s": round(empty[1], 2),
                "same_scores": all(one == tables[0] for one in tables),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
