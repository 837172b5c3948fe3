"""Overlap of two areas or volumes; `docs/scoring.md` says what empty and missing ones give."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from gliobench.scoring.lesions import Components, find_components
from gliobench.scoring.metric import AnswerMetric, Compared
from gliobench.scoring.surface import Surface, find_surface


@dataclass(frozen=True, eq=False)
class Area:
    """The pixels of a slice or the voxels of a volume (bool), with cached properties; false where empty."""

    pixels: NDArray[np.bool_]

    @cached_property
    def count(self) -> int:
        """The number of pixels in it."""
        return int(np.count_nonzero(self.pixels))

    @cached_property
    def surface(self) -> Surface:
        """Its surface pixels."""
        return find_surface(self.pixels)

    @cached_property
    def components(self) -> Components:
        """Its connected components; of a volume."""
        return find_components(self.pixels)

    @cached_property
    def lesions(self) -> Components:
        """The same as a truth's: what meets once it is grown is one."""
        return find_components(self.pixels, grown=True)

    def __bool__(self) -> bool:
        return self.count > 0


def dice(areas: Compared) -> float:
    """2 |A and T| / (|A| + |T|)."""
    return float(2 * areas.shared / (areas.answer.count + areas.truth.count))


def precision(areas: Compared) -> float:
    """|A and T| / |A|."""
    return float(areas.shared / areas.answer.count)


def recall(areas: Compared) -> float:
    """|A and T| / |T|."""
    return float(areas.shared / areas.truth.count)


def specificity(areas: Compared) -> float:
    """The proportion of the pixels outside T that are outside A; 1 where there are none."""
    outside = areas.truth.pixels.size - areas.truth.count
    return float(1 - (areas.answer.count - areas.shared) / outside) if outside else 1.0


_share = partial(AnswerMetric, unit="share", better="higher", of="area", unanswered=0.0, both_empty=1.0)
METRICS = (
    _share("dice", "Dice", measure=dice, one_empty=0.0),
    _share("precision", "precision", measure=precision, one_empty=0.0),
    _share("recall", "recall", measure=recall, one_empty=0.0),
    _share("specificity", "specificity", measure=specificity, one_empty=specificity),
)
