"""Medical Segmentation Decathlon: `dataset.json`, one 3D or 4D image per patient, no classes.

The masks of Task01 (gliomas) number the parts differently from BraTS (oedema is 1): `dataset.json` defines the numbers,
and they are mapped to BraTS 2023's. An entry of `training` may name its `patient`, where several are of one. Antonelli
2022, doi:10.1038/s41467-022-30695-9.
"""

from collections.abc import Mapping
from pathlib import Path

from gliobench.cohort.formats.volume_file import SUFFIXES
from gliobench.cohort.layouts.dataset_json import (
    DESCRIPTION,
    channels_of,
    is_described,
    names_of,
    one_file_per_channel,
    read_description,
    regions_of,
    relabelling,
    short,
)
from gliobench.cohort.layouts.layout import Found, Layout, named_patient, sort_out, wrong_id, wrong_patient
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, ImageFile, Subject
from gliobench.errors import printable


def _recognises(root: Path, problem: Problem) -> bool:
    return is_described(root) and not one_file_per_channel(root)


def _find(root: Path, problem: Problem) -> Found:
    path = root / DESCRIPTION
    description = read_description(path)
    channels = _channels(path, names_of(path, description, "modality"), problem)
    relabel = relabelling(path, regions_of(path, description), problem)
    entries = description.get("training", [])
    if not isinstance(entries, list):
        raise CohortError(f"{root / DESCRIPTION}: training: expected a list, found {short(entries)}")
    return sort_out(_subject(root, entry, place, channels, relabel) for place, entry in enumerate(entries, start=1))


def _channels(path: Path, modality: Mapping[int, str], problem: Problem) -> dict[str, int | None]:
    """The channel of each of the problem's images; None where the file has no other."""
    channels = channels_of(path, modality, problem)
    return dict.fromkeys(channels) if len(modality) == 1 else {**channels}


def _subject(
    root: Path, entry: object, place: int, channels: Mapping[str, int | None], relabel: Mapping[int, int]
) -> Subject | Fault:
    files = [entry.get(key) for key in ("image", "label")] if isinstance(entry, dict) else []
    if len(files) != 2 or not all(isinstance(file, str) for file in files):
        return Fault(
            f"training, entry {place}", f"expected an image and a label, found {short(entry)}", root / DESCRIPTION
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
        return Fault(id, f"patient: expected a name, found {short(patient)}", root / DESCRIPTION)
    if wrong := wrong_patient(str(patient)):
        return Fault(id, wrong, root / DESCRIPTION)
    images = {name: ImageFile(image, channel) for name, channel in channels.items()}
    return Subject(id, None, images, mask, relabel, named_patient(str(patient)))


DECATHLON = Layout("Medical Segmentation Decathlon", "dataset.json and imagesTr/", frozenset(), _recognises, _find)
