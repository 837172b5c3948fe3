"""Train nnU-Net v2 on a fold: write its data set, and run its own planning, preprocessing and training.

Its validation patients are ours (`splits_final.json`); the test patients are in none of its files. An interrupted
training resumes from nnU-Net's checkpoint of its last epoch.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.patients import names_of
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import REGION_SETS, RegionName
from gliobench.integrity import file_digest, write_json
from gliobench.models.nnunet.model import DESCRIPTION, ENDING, LOG, Installation, run_worker, write_image, write_volume
from gliobench.models.nnunet.worker import DATASET, FINAL, FOLD

INPUTS = "inputs.txt"
CURVES = "curves.csv"


@dataclass(frozen=True)
class NnUNetSettings:
    """nnU-Net's own names of planner, configuration and trainer; how many epochs, of how many iterations."""

    planner: str
    configuration: str
    trainer: str
    epochs: int
    iterations: int


Show = Callable[[int, str], None]  # epochs done, and a note


def fit_nnunet(
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    out: Path,
    settings: NnUNetSettings,
    installation: Installation,
    inputs: str,
    show: Show,
    regions: str = "whole",
) -> Path:
    """Train an nnU-Net and leave it in `out`; returns `out`.

    `inputs`: digest of settings and data; files of another training in `out` are removed. Raises ModelError where
    nnU-Net stops.
    """
    mark = out / INPUTS
    if not mark.exists() or mark.read_text(encoding="utf-8", errors="replace") != inputs:
        shutil.rmtree(out, ignore_errors=True)
        write_dataset(train, validation, out, REGION_SETS[regions])
        mark.write_text(inputs, encoding="utf-8")
    (out / DESCRIPTION).unlink(missing_ok=True)
    done: dict[str, Any] = {}
    for event in run_worker(installation, {"do": "train", "root": str(out), **asdict(settings)}, out / LOG):
        if "epoch" in event:
            show(event["epoch"], f"loss {event['loss']:.3f}, validation {event['dice']:.3f}")
        else:
            done = event
    _write_curves(out / CURVES, done["curves"])
    description = {
        "network": "nnU-Net",
        "nnunetv2": done["nnunetv2"],
        "regions": regions,
        "model": done["model"],
        "plans": done["plans"],
        "settings": asdict(settings),
        "validation_metric": done["validation_dice"],
        "checkpoint": file_digest(out / done["model"] / f"fold_{FOLD}" / FINAL),
        "trained_on": sorted(names_of((*train, *validation))),
    }
    write_json(out / DESCRIPTION, description)
    return out


def write_dataset(
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    out: Path,
    regions: Sequence[RegionName],
) -> None:
    """Write `out/raw/Dataset001_gliobench` (images, labels, dataset.json), and the split where nnU-Net expects it."""
    raw, preprocessed = out / "raw" / DATASET, out / "preprocessed" / DATASET
    (raw / "labelsTr").mkdir(parents=True)
    preprocessed.mkdir(parents=True)
    subjects = (*train, *validation)
    for subject in subjects:
        write_image(subject, raw / "imagesTr")
        write_volume(depth_labels(subject, regions), subject, raw / "labelsTr" / f"{subject.id}{ENDING}")
    (raw / "dataset.json").write_text(
        json.dumps(describe_dataset(len(subjects), regions, subjects[0].problem.names), indent=1) + "\n"
    )
    split = {"train": [subject.id for subject in train], "val": [subject.id for subject in validation]}
    (preprocessed / "splits_final.json").write_text(json.dumps([split], indent=1) + "\n")


def depth_labels(subject: PreparedSubject, regions: Sequence[RegionName]) -> NDArray[np.uint8]:
    """The number of nested regions that a voxel is in: (D, H, W) uint8, as nnU-Net numbers them."""
    labels: NDArray[np.uint8] = np.sum([subject.part(region) for region in regions], axis=0, dtype=np.uint8)
    return labels


def describe_dataset(count: int, regions: Sequence[RegionName], images: Sequence[str]) -> dict[str, Any]:
    """nnU-Net's dataset.json. A region is all labels from its own number up."""
    last = len(regions)
    labels = {region: list(range(first, last + 1)) for first, region in enumerate(regions, start=1)}
    overlapping = {"regions_class_order": list(range(1, last + 1))} if last > 1 else {}
    return {
        "channel_names": {str(channel): name for channel, name in enumerate(images)},
        "labels": {"background": 0} | {name: found if len(found) > 1 else found[0] for name, found in labels.items()},
        **overlapping,
        "numTraining": count,
        "file_ending": ENDING,
        "overwrite_image_reader_writer": "NibabelIO",  # accepts any affine; SimpleITK requires orthonormal axes
    }


def _write_curves(path: Path, curves: dict[str, list[float]]) -> None:
    lines = [",".join(["epoch", *curves])]
    lines += [",".join([str(epoch), *map(repr, row)]) for epoch, row in enumerate(zip(*curves.values(), strict=False))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
