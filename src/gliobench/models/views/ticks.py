"""Rows and columns counted along the edges of a panel, in a margin above and to the left of it: no pixel of the slice
is covered.

The digits are drawn here, three by five dots of two pixels: fonts differ between machines.
"""

import numpy as np
from numpy.typing import NDArray

EVERY_PX = 40  # three digits are 22 pixels wide, so neighbours never touch
DOT_PX, TICK_PX = 2, 4
NEXT_DIGIT_PX = 4 * DOT_PX
HEIGHT_PX = 5 * DOT_PX
LEFT_PX = 3 * NEXT_DIGIT_PX + TICK_PX
TOP_PX = HEIGHT_PX + DOT_PX + TICK_PX
WHITE = 255
# The rows of 0 to 9 from top to bottom, an octal digit each: 4 the left dot, 2 the middle one, 1 the right one.
DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")


def with_ticks(panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The panel (rows, columns, 3) with a black margin above and to the left in which every 40th row and column has a
    white tick and its number: (rows + 16, columns + 28, 3)."""
    rows, columns, _ = panel.shape
    drawn = np.zeros((TOP_PX + rows, LEFT_PX + columns, 3), dtype=np.uint8)
    drawn[TOP_PX:, LEFT_PX:] = panel
    for row in range(0, rows, EVERY_PX):
        drawn[TOP_PX + row, LEFT_PX - TICK_PX : LEFT_PX] = WHITE
        number = _number(row)
        _put(drawn, number, TOP_PX + row - HEIGHT_PX // 2, LEFT_PX - TICK_PX - DOT_PX - number.shape[1])
    for column in range(0, columns, EVERY_PX):
        drawn[TOP_PX - TICK_PX : TOP_PX, LEFT_PX + column] = WHITE
        number = _number(column)
        _put(drawn, number, 0, LEFT_PX + column - number.shape[1] // 2)
    return drawn


def _number(number: int) -> NDArray[np.bool_]:
    """A number's dots, (10, 8 * digits - 2) bool."""
    dots = np.zeros((5, 4 * len(str(number))), dtype=bool)
    for place, digit in enumerate(str(number)):
        for row, bits in enumerate(DIGITS[int(digit)]):
            dots[row, 4 * place : 4 * place + 3] = [int(bits) & bit for bit in (4, 2, 1)]
    return dots[:, :-1].repeat(DOT_PX, axis=0).repeat(DOT_PX, axis=1)


def _put(drawn: NDArray[np.uint8], dots: NDArray[np.bool_], row: int, column: int) -> None:
    """Draw the dots with their top left corner there; moved inwards where they would not fit."""
    height, width = dots.shape
    row, column = min(row, drawn.shape[0] - height), min(column, drawn.shape[1] - width)
    drawn[row : row + height, column : column + width][dots] = WHITE
