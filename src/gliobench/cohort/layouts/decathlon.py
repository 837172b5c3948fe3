"""Medical Segmentation Decathlon: `dataset.json`, one 3D or 4D image per patient, no classes.

The masks of Task01 (gliomas) number the parts differently from BraTS (oedema is 1): `dataset.json` defines the numbers,
and they are mapped to BraTS 2023's. An entry of `training` may name its `patient`, where several are of one. Antonelli
2022, doi:10.1038/s41467-022-30695-9.
"""

import json
from pathlib import Path
from typing import Any

from gliobench.cohort.formats.volume_file import SUFFIXES
from gliobench.cohort.layouts.layout import Found, Layout, named_patient, sort_out, wrong_id, wrong_patient
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, ImageFile, Subject
from gliobench.errors import printable

DESCRIPTION = "dataset.json"
NAMES = {"FLAIR": "flair", "T1W": "t1", "T1GD": "t1ce", "T2W": "t2"}
PARTS = {"non-enhancing tumor": 1, "edema": 2, "enhancing tumor": 3}  # in BraTS 2023's numbers
NNUNET_V2 = ("channel_names", "file_ending", "numTraining")  # keys of nnU-Net's dataset.json that the Decathlon lacks


def _recognises(root: Path, problem: Problem) -> bool:
    return (root / DESCRIPTION).is_file() and (root / "imagesTr").is_dir()


def _find(root: Path, problem: Problem) -> Found:
    path = root / DESCRIPTION
    description = _read(path)
    _refuse_nnunet(root, description, problem)
    channels = _channels(path, _names(path, description, "modality"), problem)
    labels = _names(path, description, "labels")
    relabel = _relabelling(path, labels) if problem.reading == "glioma" else _checked(path, labels, problem)
    entries = description.get("training", [])
    if not isinstance(entries, list):
        raise CohortError(f"{root / DESCRIPTION}: training: expected a list, found {_short(entries)}")
    return sort_out(_subject(root, entry, place, channels, relabel) for place, entry in enumerate(entries, start=1))


def _read(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CohortError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CohortError(f"{path}: not UTF-8; save it as UTF-8") from error
    except RecursionError as error:
        raise CohortError(f"{path}: nested too deeply for a description of data") from error
    except ValueError as error:
        raise CohortError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(description, dict):
        raise CohortError(f"{path}: expected an object with modality, labels and training, found {_short(description)}")
    return description


def _refuse_nnunet(root: Path, description: dict[str, Any], problem: Problem) -> None:
    """Raise CohortError for nnU-Net's raw data, which look similar but have one file per channel."""
    if any(key in description for key in NNUNET_V2) or next((root / "imagesTr").glob("*_0000.nii*"), None):
        raise CohortError(
            f"{root}: an nnU-Net raw data set (imagesTr/<case>_0000.nii.gz, one file per channel), which is not read: "
            f"list its files in a table with the columns id, {', '.join(problem.names)}, mask, and name the table"
        )


def _names(path: Path, description: dict[str, Any], key: str) -> dict[int, str]:
    """The names of the numbers under `modality` or `labels`; a list counts from 0."""
    value = description.get(key, {})
    numbered = dict(enumerate(value)) if isinstance(value, list) else value
    try:
        names = {int(number): name for number, name in numbered.items()}
        if all(isinstance(name, str) for name in names.values()):
            return names
    except (AttributeError, ValueError):
        pass
    raise CohortError(f'{path}: {key}: expected numbers with their names, such as {{"0": "…"}}, found {_short(value)}')


def _channels(path: Path, modality: dict[int, str], problem: Problem) -> dict[str, int | None]:
    """The channel of each of the problem's images, by the names of both; None where the image is the only one."""
    if len(modality) == len(problem.names) == 1:
        return {problem.names[0]: None}
    numbers = {name.upper(): number for number, name in modality.items()}
    numbers |= {NAMES[name].upper(): number for name, number in numbers.items() if name in NAMES}
    if missing := [name for name in problem.names if name.upper() not in numbers]:
        raise CohortError(f"{path}: no channel for {', '.join(missing)}; found {_short(modality)}")
    return {name: numbers[name.upper()] for name in problem.names}


def _checked(path: Path, labels: dict[int, str], problem: Problem) -> dict[int, int]:
    """No relabelling: the problem's regions name the labels of the masks. Raises CohortError where they name others."""
    if unknown := sorted({label for region in problem.regions for label in region.labels} - set(labels)):
        named = ", ".join(map(str, unknown))
        raise CohortError(f"{path}: the problem {problem.name} names the labels {named}; found {_short(labels)}")
    return {}


def _relabelling(path: Path, labels: dict[int, str]) -> dict[int, int]:
    """BraTS's label for each of `labels` (number -> name)."""
    names = {number: name.lower().replace("tumour", "tumor") for number, name in labels.items() if number != 0}
    if sorted(names.values()) != sorted(PARTS):
        raise CohortError(f"{path}: expected the labels {', '.join(PARTS)}; found {_short(labels)}")
    return {number: PARTS[name] for number, name in names.items()}


def _subject(
    root: Path, entry: object, place: int, channels: dict[str, int | None], relabel: dict[int, int]
) -> Subject | Fault:
    files = [entry.get(key) for key in ("image", "label")] if isinstance(entry, dict) else []
    if len(files) != 2 or not all(isinstance(file, str) for file in files):
        return Fault(
            f"training, entry {place}", f"expected an image and a label, found {_short(entry)}", root / DESCRIPTION
        )
    image, mask = (root / str(file) for file in files)
    id = image.name
    for suffix in SUFFIXES:
        id = id.removesuffix(suffix)
    if wrong := wrong_id(id):
        return Fault(printable(id), wrong, image)
    absent = [path for path in (image, mask) if not path.is_file()]
    if absent:
        return Fault(id, f"listed in {DESCRIPTION}, but the file is missing", absent[0])
    patient = entry.get("patient", "") if isinstance(entry, dict) else ""
    if not isinstance(patient, str | int):
        return Fault(id, f"patient: expected a name, found {_short(patient)}", root / DESCRIPTION)
    if wrong := wrong_patient(str(patient)):
        return Fault(id, wrong, root / DESCRIPTION)
    images = {name: ImageFile(image, channel) for name, channel in channels.items()}
    return Subject(id, None, images, mask, relabel, named_patient(str(patient)))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


DECATHLON = Layout("Medical Segmentation Decathlon", "dataset.json and imagesTr/", frozenset(), _recognises, _find)
