"""Medical Segmentation Decathlon, Task01: `dataset.json`, one 4D image a patient, no grades."""

import json
from pathlib import Path
from typing import Any

from gliobench.cohort.layouts.layout import Found, Layout, sort_out
from gliobench.cohort.subject import MODALITIES, CohortError, Fault, ImageFile, Subject

NAMES = {"FLAIR": "flair", "T1W": "t1", "T1GD": "t1ce", "T2W": "t2"}


def _recognises(root: Path) -> bool:
    return (root / "dataset.json").is_file() and (root / "imagesTr").is_dir()


def _find(root: Path) -> Found:
    description = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    channels = _channels(root, description.get("modality", {}))
    return sort_out(_subject(root, entry, channels) for entry in description.get("training", []))


def _channels(root: Path, modality: dict[str, str]) -> dict[str, int]:
    channels = {NAMES[name.upper()]: int(number) for number, name in modality.items() if name.upper() in NAMES}
    if missing := [name for name in MODALITIES if name not in channels]:
        raise CohortError(f"{root / 'dataset.json'}: no channel for {', '.join(missing)}; found {modality}")
    return channels


def _subject(root: Path, entry: dict[str, Any], channels: dict[str, int]) -> Subject | Fault:
    image, mask = root / entry["image"], root / entry["label"]
    id = image.name.removesuffix(".gz").removesuffix(".nii")
    absent = [path for path in (image, mask) if not path.is_file()]
    if absent:
        return Fault(id, "listed in dataset.json, but the file is missing", absent[0])
    return Subject(id, None, {name: ImageFile(image, channel) for name, channel in channels.items()}, mask)


DECATHLON = Layout(
    "Medical Segmentation Decathlon", "dataset.json and imagesTr/", frozenset({1, 2, 3}), _recognises, _find
)
