"""The parts of the target that a study asks about, and those that a model distinguishes: the whole target alone, or
BraTS's three overlapping regions.

Whole tumour (WT): all labels. Tumour core (TC): all but oedema. Enhancing tumour (ET): label 4 of BraTS 2018 to 2021, 3
from 2023 on; no numbering uses 3 or 4 for another part. Menze 2015, doi:10.1109/TMI.2014.2377694.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.label_schemes import UNDIVIDED
from gliobench.cohort.problem import GLIOMA, Problem

RegionName = Literal["whole", "core", "enhancing"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
REGION_SETS: Mapping[str, tuple[RegionName, ...]] = {"whole": ("whole",), "brats": REGIONS}
OEDEMA = 2
ENHANCING = (3, 4)


@dataclass(frozen=True)
class Region:
    """The part of the target that a study asks about.

    `key`: its name in fingerprints and tables: `whole`, the problem's own name, or `label 1`. `title`: its name in
    reports. `words`: its name in prompts, after "the". `labels`: those that make it; none: all of the target.
    """

    key: str
    title: str
    words: str
    labels: tuple[int, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is all of the target."""
        return not self.labels

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where it is; bool of the labels' shape."""
        return np.asarray(np.isin(labels, self.labels) if self.labels else np.asarray(labels) > 0)


WHOLE_KEY = "whole"


def regions_of(problem: Problem) -> dict[str, Region]:
    """The regions of a problem by name, the whole target first."""
    title = f"whole {problem.finding_words}" if problem.regions[1:] else problem.finding_words
    whole = Region(WHOLE_KEY, title, problem.whole or problem.target)
    named = (
        Region(one.name, one.title or one.name, one.words or one.title or one.name, one.labels)
        for one in problem.regions
    )
    return {WHOLE_KEY: whole} | {region.key: region for region in named}


BRATS_REGIONS = regions_of(GLIOMA)
WHOLE = BRATS_REGIONS[WHOLE_KEY]


def region_of_label(label: int, words: str) -> Region:
    """The region of a single label; `words` name it, with "the" before them or without."""
    words = words.strip().removeprefix("the ")
    return Region(f"label {label}", f"{words} (label {label})", words, (label,))


_LABEL = re.compile(r"(.+) \(label (\d{1,3})\)")  # the title that `region_of_label` gives


def region_named(problem: Problem, name: str) -> Region:
    """The region that a task's name ends in: one of the problem's by its name, or a label by its title. Raises
    ValueError for one that the problem has not."""
    known = regions_of(problem)
    if name in known:
        return known[name]
    if (found := _LABEL.fullmatch(name)) is None:
        raise ValueError(f"no region is named {name!r}; there are {', '.join(known)}, or a label with its words")
    if (label := int(found[2])) not in problem.labels:
        raise ValueError(f"label {label}: the problem {problem.name} has {sorted(problem.labels)}")
    return region_of_label(label, found[1])


def is_divided(labels: NDArray[np.uint8]) -> bool:
    """Whether a mask tells the parts of the tumour, and not the whole of it alone."""
    return not np.any(np.asarray(labels) == UNDIVIDED)


def region_mask(labels: NDArray[np.uint8], region: RegionName) -> NDArray[np.bool_]:
    """Where one of BraTS's regions is; bool of the labels' shape. Raises ValueError for a part of a mask without."""
    if region != "whole" and not is_divided(labels):
        raise ValueError(f"the mask marks the whole tumour, and not the {region}")
    found: NDArray[np.bool_]
    match region:
        case "whole":
            found = np.asarray(labels) > 0
        case "core":
            found = (np.asarray(labels) > 0) & (np.asarray(labels) != OEDEMA)
        case "enhancing":
            found = np.isin(labels, ENHANCING)
    return found
