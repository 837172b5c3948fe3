"""Medical Segmentation Decathlon, Task01: `dataset.json`, one 4D image a patient, no grades.

Its masks number the parts otherwise than BraTS (oedema is 1): `dataset.json` says which number is what, and they become
BraTS 2023's. Antonelli 2022, doi:10.1038/s41467-022-30695-9.
"""

import json
from pathlib import Path
from typing import Any

from gliobench.cohort.layouts.layout import Found, Layout, sort_out
from gliobench.cohort.subject import MODALITIES, CohortError, Fault, ImageFile, Subject

NAMES = {"FLAIR": "flair", "T1W": "t1", "T1GD": "t1ce", "T2W": "t2"}
PARTS = {"non-enhancing tumor": 1, "edema": 2, "enhancing tumor": 3}  # in BraTS 2023's numbers


def _recognises(root: Path) -> bool:
    return (root / "dataset.json").is_file() and (root / "imagesTr").is_dir()


def _find(root: Path) -> Found:
    description = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    channels = _channels(root, description.get("modality", {}))
    relabel = _relabelling(root, description.get("labels", {}))
    return sort_out(_subject(root, entry, channels, relabel) for entry in description.get("training", []))


def _channels(root: Path, modality: dict[str, str]) -> dict[str, int]:
    channels = {NAMES[name.upper()]: int(number) for number, name in modality.items() if name.upper() in NAMES}
    if missing := [name for name in MODALITIES if name not in channels]:
        raise CohortError(f"{root / 'dataset.json'}: no channel for {', '.join(missing)}; found {modality}")
    return channels


def _relabelling(root: Path, labels: dict[str, str]) -> dict[int, int]:
    """BraTS's label for each of `labels` (number -> name)."""
    names = {number: str(name).lower().replace("tumour", "tumor") for number, name in labels.items() if number != "0"}
    if sorted(names.values()) != sorted(PARTS):
        raise CohortError(f"{root / 'dataset.json'}: expected the labels {', '.join(PARTS)}; found {labels}")
    return {int(number): PARTS[name] for number, name in names.items()}


def _subject(root: Path, entry: dict[str, Any], channels: dict[str, int], relabel: dict[int, int]) -> Subject | Fault:
    image, mask = root / entry["image"], root / entry["label"]
    id = image.name.removesuffix(".gz").removesuffix(".nii")
    absent = [path for path in (image, mask) if not path.is_file()]
    if absent:
        return Fault(id, "listed in dataset.json, but the file is missing", absent[0])
    return Subject(id, None, {name: ImageFile(image, channel) for name, channel in channels.items()}, mask, relabel)


DECATHLON = Layout(
    "Medical Segmentation Decathlon", "dataset.json and imagesTr/", frozenset({1, 2, 3}), _recognises, _find
)
