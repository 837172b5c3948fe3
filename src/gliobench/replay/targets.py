"""Recorded answers scored against the scan that they are about, instead of the target that came with them.

What the reference study scored its answers against is label 1 of the expert mask (the necrotic and non-enhancing core);
what its prompts ask for is the tumour. Where the scans are at hand, the same answers can be scored against either.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gliobench.replay.external import ExternalAnswer
from gliobench.replay.windows import Window
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.registry import TASKS


def aimed_at(
    answers: Sequence[ExternalAnswer], task: str, region: NDArray[np.bool_], window: Window
) -> list[ExternalAnswer]:
    """Answers about consecutive axial slices with the truths of `region`, (D, H, W) of the scan, in their window."""
    frames = [answer.frame for answer in answers]
    cut = window.cut(region, len(frames), frames[0].shape)
    return [
        replace(answer, truth=truth_of(task, Mask(answer.frame, pixels)))
        for answer, pixels in zip(answers, cut, strict=True)
    ]


def truth_of(task: str, mask: Mask) -> Value | None:
    """A slice's truth as recorded truths have it: of a centre the box around the tumour, from which it is scored."""
    return TASKS[task].truth_task.of_mask(mask)
