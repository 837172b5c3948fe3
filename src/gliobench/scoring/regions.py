"""Tumour core and enhancing tumour, by the convention of the BraTS challenges (Menze 2015; Bakas 2018).

Some patients have no enhancing tumour: none found is then right (Dice 1, distance 0), and anything found is as wrong as
can be (Dice 0, 373.13 mm, the diagonal of the challenge's 240 x 240 x 155 mm), as is nothing found where there is some.
The distance is ours (`gliobench.scoring.surface`), where some of the challenges' own programs pool both directions.
"""

import math

from gliobench.scoring.overlap import Area, score_area

PENALTY_MM = math.hypot(240, 240, 155)


def score_region(answer: Area, truth: Area, spacing_mm: tuple[float, ...]) -> dict[str, float]:
    """dice, hd95_mm, precision, recall and specificity of one region's volume."""
    figures = score_area(answer, truth, spacing_mm)
    one_is_empty = (answer.count == 0) != (truth.count == 0)
    return {**figures, "hd95_mm": PENALTY_MM} if one_is_empty else figures
