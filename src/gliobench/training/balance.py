"""Patients of every class equally often in an epoch."""

from collections.abc import Mapping, Sequence

import numpy as np


def balanced_order(
    ids: Sequence[str], grades: Mapping[str, int | None], random: np.random.Generator, draws: int | None = None
) -> list[str]:
    """As many draws as there are `ids`, or `draws`, each class equally often (odd draws go to any).

    A patient of a rarer class is repeated only after all of that class were drawn; where only one class occurs, or
    none, this is a permutation. Patients without a class are a stratum of their own, drawn in proportion.
    """
    count = len(ids) if draws is None else draws
    strata: dict[int | None, list[str]] = {}
    for id in ids:
        strata.setdefault(grades[id], []).append(id)
    ungraded = strata.pop(None, [])
    shares = [(count - len(ungraded)) // max(len(strata), 1)] * len(strata)
    for place in random.permutation(len(shares))[: count - len(ungraded) - sum(shares)]:
        shares[place] += 1
    drawn = list(ungraded)
    for members, share in zip(strata.values(), shares, strict=True):
        rounds = [random.permutation(len(members)) for _ in range(-(-share // len(members)))]
        drawn += [members[place] for place in np.concatenate(rounds)[:share]] if rounds else []
    return [drawn[place] for place in random.permutation(len(drawn))]
