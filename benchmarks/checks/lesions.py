"""Scores of single lesions: ours beside the code of BraTS 2023 and panoptica, on random volumes and real patients.

Both live in an environment of their own; this file is also what runs there (`--theirs`).

    python3.11 -m venv ../lesions-venv && ../lesions-venv/bin/pip install panoptica==2.1.7 pandas
    git clone https://github.com/rachitsaluja/BraTS-2023-Metrics ../brats-2023
    python benchmarks/checks/lesions.py --python ../lesions-venv/bin/python --brats ../brats-2023

The truths of the patients are the cohort's own, whole tumour and core; the answers are made from them. Ends in one line
of JSON, and in an error where the two sides differ.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Case = tuple[str, Mask, Mask, tuple[float, float, float]]
SAME = 1e-6
METRICS = ("lesion_dice", "lesion_recall", "false_positives", "lesion_f1")
RANDOM, PATIENTS = 24, 4
OEDEMA = 2  # in none of the challenge's regions but the whole tumour


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", type=Path, help="the interpreter that has panoptica")
    parser.add_argument("--brats", type=Path, help="a clone of BraTS-2023-Metrics")
    parser.add_argument("--cohort", type=Path, default=Path("../shared/cohort_2mm"))
    parser.add_argument("--theirs", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        print(json.dumps(score_theirs(options.theirs)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = [score_ours(number, case, folder) for number, case in enumerate(cases(options.cohort))]
        command = [str(options.python), __file__, "--theirs", str(folder)]
        environment = os.environ | {"PYTHONPATH": str(options.brats)}
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    show(ours, json.loads(done.stdout.splitlines()[-1]))


def cases(cohort: Path) -> Iterator[Case]:
    """Name, truth, answer and spacing."""
    for seed in range(RANDOM):
        random = np.random.default_rng(seed)
        spacing = [(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (1.5, 0.9, 3.0)][seed % 3]
        truth, other = blobs(random), blobs(random)
        drawn = ndimage.gaussian_filter(random.normal(size=truth.shape), 6) > 0
        yield "random", truth, np.where(drawn, np.roll(truth, seed % 4, axis=seed % 3), other), spacing
    for path in sorted(cohort.glob("*/*/*_seg.nii*"))[:PATIENTS]:
        image = nib.load(path)
        labels = np.asarray(image.dataobj)
        spacing = tuple(float(step) for step in image.header.get_zooms()[:3])
        for region in (labels > 0, np.isin(labels, (1, 4))):
            for name, answer in wrong_answers(region):
                yield name, region, answer, spacing


def blobs(random: np.random.Generator) -> Mask:
    """Some dozen lesions of a few to some thousand voxels."""
    noise = ndimage.gaussian_filter(random.normal(size=(48, 56, 40)), random.uniform(2.5, 4))
    return np.asarray(noise > np.quantile(noise, random.uniform(0.97, 0.995)))


def wrong_answers(truth: Mask) -> Iterator[tuple[str, Mask]]:
    """Shifted, eroded, with random false lesions, and nothing."""
    yield "shifted", np.roll(truth, (2, -1, 1), axis=(0, 1, 2))
    yield "eroded", ndimage.binary_erosion(truth)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=truth.shape), 2)
    yield "false lesions", truth | (noise > np.quantile(noise, 0.999))
    yield "nothing", np.zeros_like(truth)


def score_ours(number: int, case: Case, folder: Path) -> dict[str, Any]:
    """Our figures, and how long they take; leaves both masks for the others."""
    from gliobench.scoring import lesions
    from gliobench.scoring.metric import Compared
    from gliobench.scoring.overlap import Area

    name, truth, answer, spacing = case
    for side, mask in (("truth", truth), ("answer", answer)):
        affine = np.diag([*spacing, 1.0])
        nib.save(nib.Nifti1Image(mask.astype(np.uint8) * OEDEMA, affine), folder / f"{number:04d}-{side}.nii.gz")
    start = time.perf_counter()
    compared = Compared(Area(answer), Area(truth), spacing)
    figures = {metric.id: metric.value(compared) for metric in lesions.METRICS}
    return {"name": name, "seconds": time.perf_counter() - start, **figures}


def score_theirs(folder: Path) -> list[dict[str, float]]:
    """The same figures by BraTS 2023 (of what it calls the whole tumour, settings for gliomas) and by panoptica."""
    from brats_2023_metrics.surface_distance.brats_metrics import get_lesion_wise_results
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        Metric,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )

    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(matching_threshold=0.5),
        instance_metrics=[Metric.IOU],  # without any it counts no pairs
        global_metrics=[],
    )
    found = []
    for truth in sorted(folder.glob("*-truth.nii.gz")):
        answer = truth.with_name(truth.name.replace("truth", "answer"))
        table = get_lesion_wise_results(str(answer), str(truth), "BraTS-GLI")
        row = table[table["Labels"] == "WT"].iloc[0]
        lesions = row["Num_TP"] + row["Num_FN"]
        masks = [np.asarray(nib.load(path).dataobj) // OEDEMA for path in (answer, truth)]
        result = next(iter(evaluator.evaluate(*masks).values()))
        pairs, both = result.tp, result.n_pred_instances + result.n_ref_instances
        found.append({
            "lesion_dice": float(row["Lesion_Wise_Score_Dice"]),
            "lesion_f1": float(result.rq) if pairs else float(not both),
            "lesion_recall": float(row["Num_TP"] / lesions) if lesions else math.nan,
            "false_positives": float(row["Num_FP"]),
            "lesions": float(lesions),
        })  # fmt: skip
    return found


def show(ours: list[dict[str, Any]], theirs: list[dict[str, float]]) -> None:
    """The largest difference of each figure by kind of case; stops with an error where there is one."""
    rows = []
    for name in dict.fromkeys(one["name"] for one in ours):
        pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if one["name"] == name]
        row: dict[str, Any] = {"answer": name, "n": len(pairs), "lesions": sum(other["lesions"] for _, other in pairs)}
        for metric in METRICS:
            row[metric] = max(apart(one[metric], other[metric]) for one, other in pairs)
            values = [one[metric] for one, _ in pairs if not math.isnan(one[metric])]
            row[f"{metric} span"] = f"{min(values):.3f} to {max(values):.3f}" if values else "none"
        row["seconds"] = round(max(one["seconds"] for one, _ in pairs), 3)
        rows.append(row)
    print(json.dumps({"check": "lesions", "rows": rows}))
    if any(row[metric] > SAME for row in rows for metric in METRICS):
        sys.exit("ours and theirs differ: see the line above")


def apart(one: float, other: float) -> float:
    """The difference; 0 where neither side has a value."""
    return 0.0 if math.isnan(one) and math.isnan(other) else math.inf if math.isnan(one + other) else abs(one - other)


if __name__ == "__main__":
    main()
