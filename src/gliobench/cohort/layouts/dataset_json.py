"""`dataset.json`, the description of a data set that the Decathlon introduced and nnU-Net extended: what its channels
and labels are called."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError

DESCRIPTION = "dataset.json"
IMAGES = "imagesTr"
NAMES = {"FLAIR": "flair", "T1W": "t1", "T1GD": "t1ce", "T2W": "t2"}
PARTS = {"non-enhancing tumor": 1, "edema": 2, "enhancing tumor": 3}  # in BraTS 2023's numbers
WHOLE = "whole tumor"
NESTED = (WHOLE, "tumor core", "enhancing tumor")
NNUNET_V2 = ("channel_names", "file_ending", "numTraining")  # keys of nnU-Net's dataset.json that the Decathlon lacks


def is_described(root: Path) -> bool:
    """Whether a folder is laid out as the Decathlon's or nnU-Net's."""
    return (root / DESCRIPTION).is_file() and (root / IMAGES).is_dir()


def one_file_per_channel(root: Path) -> bool:
    """Whether such a folder is nnU-Net's raw data: its description has nnU-Net's keys, or its files a channel's."""
    try:
        description = read_description(root / DESCRIPTION)
    except CohortError:
        return False  # the Decathlon's reader says what is wrong with it
    named = any(key in description for key in NNUNET_V2)
    return named or next((root / IMAGES).glob("*_0000.*"), None) is not None


def read_description(path: Path) -> dict[str, Any]:
    """The content of `dataset.json`. Raises CohortError."""
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
        raise CohortError(f"{path}: expected an object with modality, labels and training, found {short(description)}")
    return description


def names_of(path: Path, description: dict[str, Any], key: str) -> dict[int, str]:
    """The names of the numbers under a key; a list counts from 0. Raises CohortError."""
    value = description.get(key, {})
    numbered = dict(enumerate(value)) if isinstance(value, list) else value
    try:
        names = {int(number): name for number, name in numbered.items()}
        if all(isinstance(name, str) for name in names.values()):
            return names
    except (AttributeError, ValueError):
        pass
    raise CohortError(f'{path}: {key}: expected numbers with their names, such as {{"0": "…"}}, found {short(value)}')


def channels_of(path: Path, names: Mapping[int, str], problem: Problem) -> dict[str, int]:
    """The channel of each of the problem's images, by the names of both, in capitals or not; where there is one of
    each, whatever they are called. Raises CohortError."""
    if len(names) == len(problem.names) == 1:
        return {problem.names[0]: next(iter(names))}
    numbers = {image_name(name).upper(): number for number, name in names.items()}
    numbers |= {NAMES[name].upper(): number for name, number in numbers.items() if name in NAMES}
    if missing := [name for name in problem.names if name.upper() not in numbers]:
        raise CohortError(f"{path}: no channel for {', '.join(missing)}; found {short(dict(names))}")
    return {name: numbers[name.upper()] for name in problem.names}


def image_name(channel: str) -> str:
    """A channel's name as images of problems may be called: a hyphen in place of other characters."""
    return re.sub(r"[^A-Za-z0-9_+-]+", "-", channel).strip("-_+")[:40]


def regions_of(path: Path, description: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The labels of every region under `labels`, without the background (0): the Decathlon's number -> name, nnU-Net's
    name -> number, or name -> several numbers. Raises CohortError, also where a label means `ignore`."""
    value = description.get("labels", {})
    numbered = dict(enumerate(value)) if isinstance(value, list) else value
    try:
        named = all(isinstance(name, str) for name in numbered.values())
        pairs = [(name, number) if named else (number, name) for number, name in numbered.items()]
        found = {str(name): tuple(map(int, _several(numbers))) for name, numbers in pairs}
    except (AttributeError, TypeError, ValueError):
        raise CohortError(
            f'{path}: labels: expected numbers with their names, such as {{"1": "tumour"}} or {{"tumour": 1}}, found '
            f"{short(value)}"
        ) from None
    if len(found) < len(pairs):
        raise CohortError(f"{path}: expected the labels to have different names; found {short(value)}")
    if "ignore" in found:
        raise CohortError(
            f"{path}: labels: {short(value)}: voxels that nobody annotated (ignore) cannot be scored: annotate them, "
            "or list the patients without them in a table"
        )
    return {name: labels for name, labels in found.items() if labels != (0,)}


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def relabelling(path: Path, regions: Mapping[str, tuple[int, ...]], problem: Problem) -> dict[int, int]:
    """BraTS 2023's label for each of a glioma's; of other problems none, as their regions name the masks' own labels.
    Raises CohortError where the problem's regions are not among those of the description."""
    if problem.reading == "glioma":
        return _brats_labels(path, regions)
    described = {label for labels in regions.values() for label in labels}
    if unknown := sorted({label for region in problem.regions for label in region.labels} - described):
        named = ", ".join(map(str, unknown))
        raise CohortError(f"{path}: the problem {problem.name} names the labels {named}; found {short(dict(regions))}")
    return {}


def _brats_labels(path: Path, regions: Mapping[str, tuple[int, ...]]) -> dict[int, int]:
    """BraTS 2023's label for each label: of a glioma's parts, or of nested regions, whose differences are the parts."""
    found = {name.lower().replace("tumour", "tumor"): frozenset(labels) for name, labels in regions.items()}
    if found.keys() == set(NESTED):
        whole, core, enhancing = (found[name] for name in NESTED)
        found = dict(zip(PARTS, (core - enhancing, whole - core, enhancing), strict=True))
    if found.keys() == {WHOLE} and found[WHOLE] <= {*PARTS.values()}:
        return {label: label for label in found[WHOLE]}
    if found.keys() != PARTS.keys():
        raise CohortError(
            f"{path}: expected the labels {', '.join(PARTS)}, or the regions {', '.join(NESTED)}; found "
            f"{short(dict(regions))}"
        )
    return {label: PARTS[name] for name, labels in found.items() for label in labels}


def whole_alone(regions: Mapping[str, tuple[int, ...]], problem: Problem) -> tuple[str, ...]:
    """A note where the labels of gliomas are named as the whole tumour alone."""
    if problem.reading != "glioma" or len(regions) != 1:
        return ()
    return (
        f"warning: {DESCRIPTION} names the whole tumour alone: its labels are taken to be numbered as BraTS 2023's, "
        "which metrics of its parts (core, enhancing, oedema) depend on",
    )


def short(value: object) -> str:
    """A value in a message."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}…"
