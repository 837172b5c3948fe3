"""Milliseconds for the 95 % Hausdorff distance of one pair of masks of (95, 128, 128): ours beside MONAI's.

    python benchmarks/hausdorff.py --rounds 15

Both sides take turns on the same masks, in one thread, and must agree to 4 decimals. Ends in one line of JSON; the
ratio is that of the median times.
"""

import argparse
import json
import statistics
import warnings
from collections.abc import Iterator
from time import perf_counter

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from gliobench.scoring.surface import find_surface, hausdorff95_mm

SHAPE = (95, 128, 128)
SPACING_MM = (1.5, 1.2, 1.1)
Mask = NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = [measure(name, *pair, options.rounds) for name, pair in pairs()]
    table = Table("masks", "voxels", "surface", "HD95 mm", "ours ms", "MONAI ms", "ratio")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    large = [float(row["ratio"]) for row in rows if str(row["masks"]).startswith("large, ragged")]
    small = [float(row["ratio"]) for row in rows if str(row["masks"]).startswith("small")]
    result = {"benchmark": "hausdorff", "shape": SHAPE, "rounds": options.rounds, "threads": 1}
    print(json.dumps({**result, "least_ratio_large_ragged": min(large), "least_ratio_small": min(small), "rows": rows}))


def measure(name: str, prediction: Mask, truth: Mask, rounds: int) -> dict[str, str | float | int]:
    """Median milliseconds of both, after one round that does not count."""
    tensors = [torch.from_numpy(mask)[None, None] for mask in (prediction, truth)]
    seconds: dict[str, list[float]] = {"ours": [], "monai": []}
    for _ in range(rounds + 1):
        start = perf_counter()
        value = hausdorff95_mm(prediction, truth, SPACING_MM)
        seconds["ours"].append(perf_counter() - start)
        start = perf_counter()
        expected = compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=SPACING_MM)
        seconds["monai"].append(perf_counter() - start)
        if abs(value - float(expected)) > 5e-5:
            raise SystemExit(f"{name}: {value} here, {float(expected)} by MONAI: the speed means nothing")
    ours, monai = (statistics.median(seconds[side][1:]) * 1000 for side in ("ours", "monai"))
    return {
        "masks": name,
        "voxels": int(truth.sum()),
        "surface": len(find_surface(truth).points),
        "hd95_mm": round(value, 4),
        "ours_ms": round(ours, 2),
        "monai_ms": round(monai, 2),
        "ratio": round(monai / ours, 2),
    }


def pairs() -> Iterator[tuple[str, tuple[Mask, Mask]]]:
    """Pairs of ellipsoids; ragged ones have an outline moved by smooth and by independent noise."""
    yield "large, ragged", (blob(1, (47, 64, 64), (30, 40, 36), 0.2), blob(2, (47, 66, 63), (30, 40, 36), 0.2))
    yield "large, ragged, apart", (blob(1, (45, 60, 60), (30, 40, 36), 0.2), blob(2, (55, 80, 75), (20, 26, 25), 0.2))
    yield "large, smooth", (blob(1, (47, 64, 64), (30, 40, 36), 0), blob(2, (47, 66, 63), (28, 42, 36), 0))
    yield "small, ragged", (blob(1, (47, 64, 64), (6, 8, 8), 0.1), blob(2, (48, 66, 63), (6, 7, 9), 0.1))
    yield "small, far apart", (blob(1, (20, 20, 20), (3, 4, 4), 0), blob(2, (80, 100, 100), (3, 3, 3), 0))


def blob(seed: int, middle: tuple[int, ...], radii: tuple[int, ...], roughness: float) -> Mask:
    random = np.random.default_rng(seed)
    axes = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    level = np.sqrt(sum(((axis - m) / r) ** 2 for axis, m, r in zip(axes, middle, radii, strict=True)))
    waves = ndimage.gaussian_filter(random.standard_normal(SHAPE), 3)
    level = level + roughness * (waves / waves.std() + 0.75 * random.standard_normal(SHAPE))
    return np.asarray(level < 1)


if __name__ == "__main__":
    main()
