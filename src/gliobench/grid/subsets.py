"""Nested, stratified subsets of a fold's training patients: how a model does with fewer of them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gliobench.grid.splits import Ids, Patients, by_patient


def subset(
    train: Ids,
    size: int,
    grades: Mapping[str, int | None],
    patients: Patients,
    units: Patients,
    seed: Sequence[int],
) -> Ids:
    """The scans of `size` training patients, sorted; with the same seed a smaller subset is part of a larger one.

    `train`: the scans of the training part. `units`: by scan, what is taken or left as one: its patient, or a group of
    patients. Where the next group would make more than `size` patients, the subset ends before it. Each class has one
    patient before any has two, and then their shares are the training part's (Adams' divisor method, which never takes
    a seat back when there are more: Balinski and Young 1982).
    """
    taken: list[str] = []
    for scans in _in_order(train, grades, units, np.random.default_rng(seed)):
        if count_patients([*taken, *scans], patients) > size:
            break
        taken += scans
    return tuple(sorted(taken))


def count_patients(scans: Sequence[str], patients: Patients) -> int:
    """How many patients some scans are of."""
    return len({patients.get(id, id) for id in scans})


def _in_order(
    train: Ids, grades: Mapping[str, int | None], units: Patients, random: np.random.Generator
) -> Iterator[Ids]:
    """The scans of each unit: every beginning of this order is stratified."""
    scans, highest = by_patient({id: grades[id] for id in train}, units)
    ranked = []
    for place, grade in enumerate(sorted(set(highest.values()), key=lambda grade: (grade is None, grade))):
        members = sorted(unit for unit, found in highest.items() if found == grade)
        drawn = random.permutation(len(members))
        ranked += [(rank / len(members), place, members[index]) for rank, index in enumerate(drawn)]
    return (scans.of([unit]) for _, _, unit in sorted(ranked))
