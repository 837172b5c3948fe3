"""nnU-Net's raw data: `imagesTr/<case>_0000.nii.gz` with one file per channel, `labelsTr/<case>.nii.gz`, no classes.

`dataset.json` names channels (`channel_names`, or version 1's `modality`) and labels, also several of them for a
region. Isensee 2021, doi:10.1038/s41592-020-01008-z; documentation/dataset_format.md of version 2.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gliobench.cohort.formats.volume_file import SUFFIXES
from gliobench.cohort.layouts.dataset_json import (
    DESCRIPTION,
    IMAGES,
    channels_of,
    is_described,
    names_of,
    one_file_per_channel,
    read_description,
    regions_of,
    relabelling,
    short,
    whole_alone,
)
from gliobench.cohort.layouts.layout import Found, Layout, sort_out, subject_of
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, Subject

MASKS = "labelsTr"
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


def _recognises(root: Path, problem: Problem) -> bool:
    return is_described(root) and one_file_per_channel(root)


def _find(root: Path, problem: Problem) -> Found:
    path = root / DESCRIPTION
    description = read_description(path)
    channels = channels_of(path, channel_names(path, description), problem)
    regions = regions_of(path, description)
    relabel = relabelling(path, regions, problem)
    suffixes = _suffixes(path, description)
    images, masks = _by_stem(root / IMAGES, suffixes), _by_stem(root / MASKS, suffixes)
    cases = sorted({match["case"] for stem in images if (match := _CHANNEL.fullmatch(stem))} | masks.keys())
    subjects = (_subject(case, images, masks.get(case), channels, relabel, root, problem) for case in cases)
    return sort_out(subjects, whole_alone(regions, problem))


def channel_names(path: Path, description: dict[str, Any]) -> dict[int, str]:
    """The names of the channels by their numbers. Raises CohortError."""
    return names_of(path, description, "channel_names" if "channel_names" in description else "modality")


def _suffixes(path: Path, description: Mapping[str, Any]) -> tuple[str, ...]:
    """How the files of cases end: as `file_ending` says, or with any suffix of a volume."""
    ending = description.get("file_ending")
    if ending is not None and ending not in SUFFIXES:
        raise CohortError(f"{path}: file_ending: expected one of {', '.join(SUFFIXES)}, found {short(ending)}")
    return (ending,) if ending else SUFFIXES


def _by_stem(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """The files of a folder by their names without suffix; none where there is no such folder."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    visible = [path for path in paths if not path.name.startswith(".")]
    return {
        path.name.removesuffix(suffix): path for suffix in suffixes for path in visible if path.name.endswith(suffix)
    }


def _subject(
    case: str,
    images: Mapping[str, Path],
    mask: Path | None,
    channels: Mapping[str, int],
    relabel: Mapping[int, int],
    root: Path,
    problem: Problem,
) -> Subject | Fault:
    found = {name: images.get(f"{case}_{channel:04d}") for name, channel in channels.items()}
    return subject_of(case, None, found, mask, root / IMAGES, relabel, problem)


NNUNET_RAW = Layout(
    "nnU-Net raw", "dataset.json and imagesTr/<case>_0000.nii.gz, one file per channel", frozenset(), _recognises, _find
)
