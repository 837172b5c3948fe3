"""Readers' masks, and each reader against the others, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.readers import consensus, marked_by, readers_in
from gliobench.grid.prepared import PreparedSubject
from gliobench.scoring.human import READERS
from gliobench.scoring.readers import score_readers


def coded(*masks: list[int]) -> np.ndarray:
    """(1, 1, 8) bits of readers' marked columns."""
    bits = np.zeros((1, 1, 8), np.uint8)
    for number, columns in enumerate(masks):
        bits[0, 0, columns] |= 1 << number
    return bits


def patient(bits: np.ndarray | None) -> PreparedSubject:
    image = np.ones((1, 1, 1, 8), np.uint8)
    return PreparedSubject(
        "P", 0, image, np.ones((1, 1, 8), np.uint8), np.eye(4), np.eye(4), (8, 1, 1), False, "c", readers=bits
    )


FOUR = coded([0, 1, 2, 3], [1, 2, 3, 4], [2, 3], [2, 3, 4, 5])


def test_a_voxel_counts_where_at_least_half_of_those_who_marked_anything_marked_it() -> None:
    assert readers_in(FOUR) == [0, 1, 2, 3]
    assert np.flatnonzero(consensus(FOUR, GLIOMA)).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(consensus(FOUR, GLIOMA, without=3)).tolist() == [1, 2, 3]
    assert np.flatnonzero(marked_by(FOUR, 2)).tolist() == [2, 3]
    silent = coded([0, 1], [], [1, 2])
    assert readers_in(silent) == [0, 2]
    assert np.flatnonzero(consensus(silent, GLIOMA)).tolist() == [0, 1, 2]
    assert not consensus(coded([], []), GLIOMA).any()


def test_each_reader_is_held_against_the_others() -> None:
    # Others' majorities (2 of 3): {2, 3, 4}, {2, 3}, {1, 2, 3, 4}, {1, 2, 3}.
    expected = [2 * 2 / (4 + 3), 2 * 2 / (4 + 2), 2 * 2 / (2 + 4), 2 * 2 / (4 + 3)]
    rows = {row.metric: row for row in score_readers(patient(FOUR), {}).rows if row.plane == "volume"}
    assert rows["dice"].value == pytest.approx(np.mean(expected))
    assert (rows["dice"].model, rows["dice"].n_asked) == (READERS, 1)


@pytest.mark.parametrize("bits", [None, coded([0, 1], [1, 2])])
def test_two_readers_have_no_consensus_of_others(bits: np.ndarray | None) -> None:
    assert score_readers(patient(bits), {}).rows == ()


def test_staple_trusts_the_readers_who_agree_more_than_those_who_guess() -> None:
    random, truth = np.random.default_rng(0), np.zeros((6, 20, 20), bool)
    truth[:3] = True
    masks = [truth ^ (random.random(truth.shape) < wrong) for wrong in (0.02, 0.02, 0.4, 0.4, 0.4)]
    marks = sum(mask.astype(np.uint8) << number for number, mask in enumerate(masks))
    wrong = {
        rule: np.mean(consensus(marks, replace(GLIOMA, consensus=rule)) != truth) for rule in ("majority", "staple")
    }
    assert wrong["majority"] > 0.05
    assert wrong["staple"] < 0.03
