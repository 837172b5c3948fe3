"""Seconds a patient of `prepare`, against bare decompression of the same files and against MONAI's chain.

    python benchmarks/prepare.py ../shared/cohort_1mm --rounds 3

One thread everywhere, files warm in the page cache, the sides in alternating rounds; medians over patients and rounds.
`prepare` reads, checks, hashes, decompresses, resamples, normalises and writes. Ends in one line of JSON.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

import numpy as np
import torch
from isal import igzip
from monai.transforms import Compose, LoadImaged, Orientationd, Resized, ScaleIntensityRangePercentilesd
from rich.console import Console
from rich.table import Table

from gliobench.cohort.nifti import decode_volume
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import Cohort, Subject
from gliobench.grid.recipe import Recipe
from gliobench.grid.store import prepare_cohort


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    cohort = find_cohort(options.cohort)
    subjects = cohort.subjects[: options.patients]
    recipe = Recipe(options.preset)
    chain = monai_chain(recipe)
    sides: dict[str, Callable[[Subject], object]] = {
        "gzip": decompress,
        "gzip + resampling": lambda subject: decompress_and_resample(subject, recipe),
        "prepare": lambda subject: prepare(subject, cohort, recipe),
        "MONAI": lambda subject: chain(paths(subject)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for subject in subjects[:1]:
        for side in sides.values():
            side(subject)  # the first call pays for imports
    clock = {"wall": perf_counter, "processor": process_time}[options.clock]
    for _ in range(options.rounds):
        for subject in subjects:
            for name, side in sides.items():
                start = clock()
                side(subject)
                seconds[name].append(clock() - start)
    report(options, len(subjects), {name: statistics.median(found) for name, found in seconds.items()})


def paths(subject: Subject) -> dict[str, str]:
    """The files of a patient by name."""
    found = {name: str(subject.images[name].path) for name in GLIOMA.names}
    return found | ({"mask": str(subject.mask)} if subject.mask else {})


def decompress(subject: Subject) -> int:
    """Read and decompress the files and do nothing with them; the number of bytes."""
    total = 0
    for path in paths(subject).values():
        data = Path(path).read_bytes()
        total += len(igzip.decompress(data) if path.endswith(".gz") else data)
    return total


def decompress_and_resample(subject: Subject, recipe: Recipe) -> None:
    """Decompress, then resize whole images (trilinear) and the mask (nearest) with torch, and nothing else."""
    for name, path in paths(subject).items():
        voxels, _ = decode_volume(Path(path).read_bytes())
        volume = torch.from_numpy(np.ascontiguousarray(voxels.T, dtype=np.float32))[None, None]
        mode = {"mode": "nearest"} if name == "mask" else {"mode": "trilinear", "align_corners": False}
        torch.nn.functional.interpolate(volume, size=recipe.shape, **mode)


def prepare(subject: Subject, cohort: Cohort, recipe: Recipe) -> None:
    """What `gliobench prepare` does for one patient that is not in the store."""
    one = Cohort(cohort.name, cohort.root, cohort.layout, cohort.labels, (subject,))
    with tempfile.TemporaryDirectory() as store:
        prepare_cohort(one, recipe, Path(store), workers=1)


def monai_chain(recipe: Recipe) -> Compose:
    """The usual MONAI way to the same shape: load, orient, resize, scale to 0 … 255."""
    names = [*GLIOMA.names, "mask"]
    return Compose(
        [
            LoadImaged(keys=names, ensure_channel_first=True, allow_missing_keys=True),
            Orientationd(keys=names, axcodes="LPS", labels=None, allow_missing_keys=True),
            Resized(
                keys=names,
                spatial_size=recipe.shape[::-1],
                mode=["trilinear"] * len(GLIOMA.names) + ["nearest"],
                allow_missing_keys=True,
            ),
            ScaleIntensityRangePercentilesd(keys=GLIOMA.names, lower=0.5, upper=99.5, b_min=0, b_max=255, clip=True),
        ]
    )


def report(options: argparse.Namespace, patients: int, median: dict[str, float]) -> None:
    base = median["gzip + resampling"]
    table = Table("side", "seconds a patient", "against gzip + resampling", title=f"{patients} patients, one thread")
    for name, value in median.items():
        table.add_row(name, f"{value:.3f}", f"{value / base:.2f}")
    Console().print(table)
    result = {
        "benchmark": "prepare",
        "cohort": options.cohort.name,
        "preset": options.preset,
        "patients": patients,
        "rounds": options.rounds,
        "threads": 1,
        "clock": options.clock,
        "gzip_seconds": round(median["gzip"], 4),
        "gzip_and_resampling_seconds": round(base, 4),
        "prepare_seconds": round(median["prepare"], 4),
        "monai_seconds": round(median["MONAI"], 4),
        "ratio_to_gzip_and_resampling": round(median["prepare"] / base, 2),
        "ratio_to_gzip": round(median["prepare"] / median["gzip"], 2),
        "monai_ratio": round(median["MONAI"] / median["prepare"], 2),
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cohort", type=Path, help="a folder or table that gliobench reads, with masks")
    parser.add_argument("--preset", choices=["brain", "study", "tumour"], default="brain")
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall", help="processor: beside other work")
    return parser.parse_args()


if __name__ == "__main__":
    main()
