"""The parts of a tumour that are asked for: the whole tumour alone, or BraTS's three overlapping regions.

Whole tumour (WT): all labels. Tumour core (TC): all but oedema. Enhancing tumour (ET): label 4 of BraTS 2018 to 2021,
3 from 2023 on; no numbering gives 3 or 4 to another part. Menze 2015, doi:10.1109/TMI.2014.2377694.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

RegionName = Literal["whole", "core", "enhancing"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
REGION_SETS: Mapping[str, tuple[RegionName, ...]] = {"whole": ("whole",), "brats": REGIONS}
OEDEMA = 2
ENHANCING = (3, 4)


def region_mask(labels: NDArray[np.uint8], region: RegionName) -> NDArray[np.bool_]:
    """Where a region is; bool of the labels' shape."""
    found: NDArray[np.bool_]
    match region:
        case "whole":
            found = np.asarray(labels) > 0
        case "core":
            found = (np.asarray(labels) > 0) & (np.asarray(labels) != OEDEMA)
        case "enhancing":
            found = np.isin(labels, ENHANCING)
    return found
