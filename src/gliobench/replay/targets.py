"""Recorded answers held against the scan that they are about, instead of the target that came with them.

What the reference study scored its answers against is label 1 of the expert mask (the necrotic and non-enhancing core);
what its prompts ask for is the tumour. Where the scans are at hand, the same answers can be held against either.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame
from gliobench.replay.held import HeldAnswer
from gliobench.replay.windows import Window
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.registry import TASKS


def aimed_at(answers: Sequence[HeldAnswer], task: str, region: NDArray[np.bool_], window: Window) -> list[HeldAnswer]:
    """Answers about consecutive axial slices with the truths of `region`, (D, H, W) of the scan, in their window."""
    frames = [answer.frame for answer in answers]
    cut = window.cut(region, len(frames), frames[0].shape)
    return [
        replace(answer, truth=_truth(task, answer.frame, pixels)) for answer, pixels in zip(answers, cut, strict=True)
    ]


def _truth(task: str, frame: SliceFrame, pixels: NDArray[np.bool_]) -> Value | None:
    """A centre is scored from the box around the tumour, as recorded truths have it."""
    return TASKS["box" if task == "centre" else task].truth(Mask(frame, pixels))
