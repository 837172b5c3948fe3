"""Size and form of a tumour, and means among the hard ones, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from gliobench.scoring.strata import Shape, by_fold, by_shape, shape_of

SHAPES = {
    "a": Shape(1.0, 0.9, 1),
    "b": Shape(2.0, 0.3, 1),
    "c": Shape(50.0, 0.8, 2),
    "d": Shape(60.0, 0.7, 1),
    "e": Shape(70.0, 0.2, 1),
    "f": Shape(80.0, 0.6, 1),
}
DICE = pd.DataFrame({"model": "m", "subject": list("abcdef"), "value": [0.1, 0.3, 0.5, 0.7, 0.9, 1.0]})


def test_a_ball_is_round_and_a_pair_of_them_has_two_parts() -> None:
    grid = np.stack(np.meshgrid(*(np.arange(40),) * 3, indexing="ij"))
    ball = np.linalg.norm(grid - 20, axis=0) < 12
    shape = shape_of(ball, (1.0, 1.0, 1.0))
    assert shape.volume_ml == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.02)
    assert shape.sphericity == pytest.approx(1, abs=0.1)  # stairs have more surface than a ball
    two = (np.linalg.norm(grid - 10, axis=0) < 6) | (np.linalg.norm(grid - 30, axis=0) < 6)
    assert shape_of(two, (1.0, 1.0, 1.0)).parts == 2
    assert shape_of(two, (1.0, 1.0, 1.0)).sphericity < shape.sphericity
    assert shape_of(ball, (2.0, 2.0, 2.0)).volume_ml == pytest.approx(8 * shape.volume_ml)


def test_means_among_the_hard_ones() -> None:
    table = by_shape(DICE, SHAPES).set_index("group")
    assert table.loc["all", "mean"] == pytest.approx(3.5 / 6)
    assert table.loc["smallest third (up to 2 ml)", "mean"] == pytest.approx(0.2)
    assert table.loc["most irregular third (sphericity up to 0.30)", "mean"] == pytest.approx(0.6)
    assert table.loc["in several parts", "n"] == 1


def test_means_by_fold() -> None:
    table = by_fold(DICE, {0: ["a", "b"], 2: ["f"]})
    assert table[["group", "n", "mean"]].values.tolist() == [["fold 0", 2, 0.2], ["fold 2", 1, 1.0]]
