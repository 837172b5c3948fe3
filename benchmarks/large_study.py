"""What a large study costs beside its models: each stage's seconds, processor seconds and memory as patients grow.

    OMP_WAIT_POLICY=passive python benchmarks/large_study.py --patients 30 365 --models 15 [--out runs/large]

Phantoms of 4 mm voxels on a small grid; models that take no time (a threshold on the image, each another one), asked
about every sixth slice: class, box and mask. Every stage is a process of its own, all else is as in any study. Ends in
one line of JSON.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

from gliobench.cohort.phantom import write_phantom

STAGES = ("prepare", "split", "predict", "score", "report")
STUDY = """\
name: large
grid: {shape: [16, 24, 24]}
split: {scheme: cross-validation, folds: 5, seed: 0}
slices: {every: 6}
tasks: [grade, box, mask]
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: flair-blob}
"""
MODELS = '''\
import numpy as np


class Threshold:
    """Whatever is brighter than a threshold on the first image is tumour, and much of it is a high grade."""

    tasks, per_slice = ("grade", "box", "mask"), True
    brightest = 255

    def predict(self, questions):
        for question in questions:
            image = question.subject.image[0]
            found = np.take(image, question.frame.index, axis=0) > self.brightest
            rows, columns = np.nonzero(found)
            box = (rows.min(), columns.min(), rows.max(), columns.max()) if len(rows) else None
            yield {"grade": min(1.0, found.mean() * 10), "box": box, "mask": found}[question.task]
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/large"))
    parser.add_argument("--patients", type=int, nargs="+", default=[30, 365])
    parser.add_argument("--models", type=int, default=15)
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    study = _study(options.out, options.models)
    print(f"{'patients':>8}  {'stage':8} {'seconds':>8} {'processor s':>11} {'peak MiB':>8}", flush=True)
    figures = {patients: _stages(study, options.out, patients) for patients in options.patients}
    print(json.dumps({"models": options.models, "patients": figures}))


def _study(out: Path, models: int) -> Path:
    numbers = range(max(0, models - 3))
    classes = (f"\n\nclass Own{one}(Threshold):\n    brightest = {90 + 10 * one}\n" for one in numbers)
    (out / "models.py").write_text(MODELS + "".join(classes))
    study = out / "study.yaml"
    entries = (f"  - {{kind: python, name: own-{one}, model: models.py:Own{one}}}\n" for one in numbers)
    study.write_text(STUDY + "".join(entries))
    return study


def _stages(study: Path, out: Path, patients: int) -> dict[str, dict[str, float]]:
    cohort, run = out / f"patients-{patients}", out / f"run-{patients}"
    write_phantom(cohort, subjects=patients, seed=0, spacing_mm=4)
    figures = {}
    for stage in STAGES:
        more = ["--workers", "2"] if stage == "prepare" else []
        figures[stage] = _command([stage, str(study), "--cohort", str(cohort), "--out", str(run), *more], out / "log")
        wall, cpu, peak = figures[stage].values()
        print(f"{patients:8}  {stage:8} {wall:8.1f} {cpu:11.1f} {peak:8.0f}", flush=True)
    return figures


def _command(arguments: list[str], log: Path) -> dict[str, float]:
    """Wall seconds, processor seconds and peak memory of one command, without those that it starts itself."""
    begun = time.perf_counter()
    with log.open("wb") as file:
        redirected = [(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)]
        whole = [sys.executable, "-m", "gliobench", *arguments]
        number = os.posix_spawn(sys.executable, whole, os.environ, file_actions=redirected)
        _, status, used = os.wait4(number, 0)
    if status:
        sys.exit(f"{' '.join(arguments)}: {log.read_text()[-2000:]}")
    peak_mib = used.ru_maxrss / 1024
    return {"s": time.perf_counter() - begun, "cpu_s": used.ru_utime + used.ru_stime, "peak_mib": peak_mib}


if __name__ == "__main__":
    main()
