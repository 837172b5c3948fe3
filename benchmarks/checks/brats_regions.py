"""Dice and HD95 of BraTS's three regions: ours beside the challenge's own package, on the same masks of real patients.

`brats-evaluation` (AGPL-3.0, NumPy 2.2) lives in an environment of its own; only its command line is called.

    python3.11 -m venv ../brats-venv && ../brats-venv/bin/pip install brats-evaluation==0.0.10
    python benchmarks/checks/brats_regions.py --python ../brats-venv/bin/python --cohort ../shared/cohort_1mm

The truths are the cohort's own; the answers are made from them by the errors that segmenters make. Ends in one line of
JSON, and in an error where the two sides differ on what both define.
"""

import argparse
import csv
import json
import math
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from scipy.spatial import cKDTree

from gliobench.cohort.formats.stored import read_bytes
from gliobench.cohort.nifti import decode_volume
from gliobench.cohort.read import find_cohort
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import ENHANCING, OEDEMA, REGIONS, RegionName, region_mask
from gliobench.scoring.score import Item, score_subject
from gliobench.scoring.surface import find_surface
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask

Labels = NDArray[np.uint8]
CORE, ENHANCES = 1, 4
ENHANCES_2023 = 3
THEIRS: Mapping[RegionName, str] = {"whole": "wt", "core": "tc", "enhancing": "et"}
OURS: Mapping[RegionName, str] = {"whole": "mask", "core": "core", "enhancing": "enhancing"}
SAME_DICE, SAME_MM = 1e-6, 1e-4
MEET = "both, they meet"


@dataclass(frozen=True)
class Figures:
    """Of one region of one case. `pooled_mm`: the percentile of all distances together, from our surfaces; NaN
    where one side is empty. `kind`: which sides have voxels, and whether they meet."""

    number: int
    region: RegionName
    kind: str
    dice: float
    hd95_mm: float
    pooled_mm: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", type=Path, required=True, help="the interpreter that has brats-evaluation")
    parser.add_argument("--cohort", type=Path, default=Path("../shared/cohort_1mm"))
    parser.add_argument("--patients", type=int, default=None, help="the first so many only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = cases(options.cohort, options.patients)
        ours = [figures for number, case in enumerate(made) for figures in score_case(number, *case, folder)]
        theirs = run_theirs(options.python, folder)
    show(ours, theirs)


def cases(cohort: Path, patients: int | None) -> Iterator[tuple[str, Labels, Labels]]:
    """Name, truth and answer, in the labels of BraTS 2018 to 2021, on the challenge's grid of 1 mm."""
    for subject in find_cohort(cohort).subjects[:patients]:
        assert subject.mask is not None
        truth = np.array(decode_volume(read_bytes(subject.mask))[0], dtype=np.uint8)
        for error, answer in wrong_answers(truth):
            yield f"{subject.id} {error}", truth, answer


def wrong_answers(truth: Labels) -> Iterator[tuple[str, Labels]]:
    """What segmenters get wrong, from little to all."""
    tumour = truth > 0
    yield "shifted", np.roll(truth, (3, -2, 1), axis=(0, 1, 2))
    yield "eroded", np.where(ndimage.binary_erosion(tumour, iterations=2), truth, 0).astype(np.uint8)
    grown = ndimage.binary_dilation(tumour, iterations=2) & ~tumour
    yield "grown", np.where(grown, OEDEMA, truth).astype(np.uint8)
    yield "ragged", ragged(truth)
    yield "no enhancing tumour", np.where(np.isin(truth, ENHANCING), CORE, truth).astype(np.uint8)
    yield "invented enhancing tumour", with_ball(truth, np.argwhere(tumour)[0], ENHANCES)
    yield "a false lesion", with_ball(truth, np.array(truth.shape) // 4, OEDEMA)
    yield "oedema only", np.where(tumour, OEDEMA, 0).astype(np.uint8)
    yield "on the other side", truth[::-1].copy()
    yield "empty", np.zeros_like(truth)


def ragged(truth: Labels) -> Labels:
    """The outline moved by smooth noise, the labels those of the nearest true voxel."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=truth.shape), 4)
    outside, nearest = ndimage.distance_transform_edt(truth == 0, return_indices=True)
    depth = ndimage.distance_transform_edt(truth > 0) - outside
    labels: Labels = np.where(depth + 4 * noise / noise.std() > 0, truth[tuple(nearest)], 0).astype(np.uint8)
    return labels


def with_ball(truth: Labels, middle: NDArray[np.int64], label: int) -> Labels:
    """With a ball of 4 mm of one label around a voxel."""
    places = np.indices(truth.shape)
    inside = sum((axis - place) ** 2 for axis, place in zip(places, middle, strict=True)) <= 16
    labels: Labels = np.where(inside, label, truth).astype(np.uint8)
    return labels


def score_case(number: int, name: str, truth: Labels, answer: Labels, folder: Path) -> Iterator[Figures]:
    """Our figures, the way that a study scores a network with `regions: brats`; leaves both masks for the others."""
    for side, labels in (("truth", truth), ("answer", answer)):
        (folder / side).mkdir(exist_ok=True)
        numbered = np.where(labels == ENHANCES, ENHANCES_2023, labels).astype(np.uint8)
        nib.save(nib.Nifti1Image(numbered, np.eye(4)), folder / side / f"{file_stem(number)}.nii.gz")
    said = {region: region_mask(answer, region) for region in REGIONS}
    value = VolumeMask(said["whole"], said["core"], said["enhancing"])
    image = np.broadcast_to(np.uint8(1), (4, *truth.shape))
    subject = PreparedSubject(name, None, image, truth, np.eye(4), np.eye(4), truth.shape, False, name)
    rows = score_subject(subject, [Item("network", "mask", None, Answered(value))], {}).rows
    found = {(row.task, row.metric): row.value for row in rows}
    for region in REGIONS:
        true = region_mask(truth, region)
        yield Figures(
            number,
            region,
            kind(said[region], true),
            found[OURS[region], "dice"],
            found[OURS[region], "hd95_mm"],
            pooled(said[region], true),
        )


def file_stem(number: int) -> str:
    """A name in which their pattern for ids, five digits, finds one."""
    return f"case-{number:05d}"


def kind(answer: NDArray[np.bool_], truth: NDArray[np.bool_]) -> str:
    if answer.any() and truth.any():
        return MEET if (answer & truth).any() else "both, apart"
    return "truth only" if truth.any() else "answer only" if answer.any() else "neither"


def pooled(answer: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """The 95th percentile of the distances of both directions together, as medpy and panoptica define it."""
    first, second = find_surface(answer).points, find_surface(truth).points
    if not len(first) or not len(second):
        return math.nan
    distances = [cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]]
    return float(np.percentile(np.concatenate(distances), 95))


def run_theirs(python: Path, folder: Path) -> dict[tuple[int, RegionName], tuple[float, float]]:
    """Dice and HD95 by case and region, as the challenge's leaderboard has them; NaN where it has none."""
    summary, table = folder / "summary.json", folder / "table.csv"
    paths = ["--ref_path", folder / "truth", "--pred_path", folder / "answer", "--summary_json", summary]
    evaluate = [python, "-m", "brats_evaluation.evaluation", "--config", "gli", *paths]
    parse = [python, "-m", "brats_evaluation.metrics_parser", "seg", "--json_path", summary, "--output_csv_path", table]
    for command in (evaluate, parse):
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    found = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            if not row["subject_id"].startswith("case-"):
                continue  # mean, standard deviation and median
            number = int(row["subject_id"].removeprefix("case-").removesuffix(".nii.gz"))
            for region, theirs in THEIRS.items():
                dice, distance = (row[f"global_{metric}_{theirs}"] for metric in ("dsc", "hd95"))
                found[number, region] = (float(dice or "nan"), float(distance or "nan"))
    return found


def show(ours: list[Figures], theirs: Mapping[tuple[int, RegionName], tuple[float, float]]) -> None:
    """Both sides by region and kind of case; stops with an error where what both define is not the same."""
    rows = []
    for region in REGIONS:
        for which in sorted({one.kind for one in ours if one.region == region}):
            group = [one for one in ours if (one.region, one.kind) == (region, which)]
            pairs = [(one, *theirs[one.number, region]) for one in group]
            rows.append({"region": region, "truth and answer": which, "n": len(group), **compare(pairs)})
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=180).print(table)
    both = [(one, *theirs[one.number, one.region]) for one in ours if one.kind == MEET]
    dice = max(abs(one.dice - dice) for one, dice, _ in both)
    pooled_mm = max(abs(one.pooled_mm - distance) for one, _, distance in both)
    result = {"check": "brats-regions", "cases": len(ours) // len(REGIONS), "regions_that_meet": len(both)}
    print(json.dumps({**result, "largest_dice": dice, "largest_pooled_mm": pooled_mm, "rows": rows}))
    if dice > SAME_DICE or pooled_mm > SAME_MM:
        raise SystemExit("ours and theirs differ where both define the same thing: see the table")


def compare(pairs: list[tuple[Figures, float, float]]) -> dict[str, str]:
    """The range of each figure over cases of one kind; the pooled distance is ours by their definition."""
    return {
        "Dice ours": span([one.dice for one, _, _ in pairs]),
        "Dice theirs": span([dice for _, dice, _ in pairs]),
        "HD95 ours": span([one.hd95_mm for one, _, _ in pairs]),
        "pooled ours": span([one.pooled_mm for one, _, _ in pairs]),
        "HD95 theirs": span([distance for _, _, distance in pairs]),
        "ours / theirs": span([one.hd95_mm / distance if distance else math.nan for one, _, distance in pairs]),
    }


def span(values: list[float]) -> str:
    known = [value for value in values if math.isfinite(value)]
    return f"{min(known):.3f} to {max(known):.3f}" if known else "none"


if __name__ == "__main__":
    main()
