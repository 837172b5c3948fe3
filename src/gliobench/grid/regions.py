"""The parts of a tumour that a study asks about, and those that a model distinguishes: the whole tumour alone, or
BraTS's three overlapping regions.

Whole tumour (WT): all labels. Tumour core (TC): all but oedema. Enhancing tumour (ET): label 4 of BraTS 2018 to 2021, 3
from 2023 on; no numbering uses 3 or 4 for another part. Menze 2015, doi:10.1109/TMI.2014.2377694.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

RegionName = Literal["whole", "core", "enhancing"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
REGION_SETS: Mapping[str, tuple[RegionName, ...]] = {"whole": ("whole",), "brats": REGIONS}
OEDEMA = 2
ENHANCING = (3, 4)


@dataclass(frozen=True)
class Region:
    """The part of a tumour that a study asks about.

    `part`: one of BraTS's regions, or a single label. `title`: its name in reports. `words`: its name in prompts, after
    "the".
    """

    part: RegionName | int
    title: str
    words: str

    @property
    def key(self) -> str:
        """Its name in fingerprints and tables: `whole`, `core`, `enhancing`, or `label 1`."""
        return f"label {self.part}" if isinstance(self.part, int) else self.part

    def mask(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where it is; bool of the labels' shape."""
        if isinstance(self.part, int):
            return np.asarray(np.asarray(labels) == self.part)
        return region_mask(labels, self.part)


WHOLE = Region("whole", "whole tumour", "whole glioma, oedema included")
BRATS_REGIONS: Mapping[RegionName, Region] = {
    "whole": WHOLE,
    "core": Region(
        "core", "tumour core", "core of the glioma (its enhancing, necrotic and other solid parts, without oedema)"
    ),
    "enhancing": Region(
        "enhancing", "enhancing tumour", "enhancing part of the glioma (bright on T1 after contrast agent)"
    ),
}


def region_of_label(label: int, words: str) -> Region:
    """The region of a single label; `words` name it, with "the" before them or without."""
    words = words.strip().removeprefix("the ")
    return Region(label, f"{words} (label {label})", words)


def region_mask(labels: NDArray[np.uint8], region: RegionName) -> NDArray[np.bool_]:
    """Where one of BraTS's regions is; bool of the labels' shape."""
    found: NDArray[np.bool_]
    match region:
        case "whole":
            found = np.asarray(labels) > 0
        case "core":
            found = (np.asarray(labels) > 0) & (np.asarray(labels) != OEDEMA)
        case "enhancing":
            found = np.isin(labels, ENHANCING)
    return found
