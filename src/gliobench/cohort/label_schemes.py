"""What the labels of a mask mean. Every numbering is mapped to one in which 1 is non-enhancing core, 2 oedema, 3 or 4
enhancing tumour, and 255 tumour whose parts are not marked; so paediatric and post-treatment masks are never read with
the labels of adults before treatment.

BraTS 2012 to 2016: Menze 2015, doi:10.1109/TMI.2014.2377694. 2017 to 2021: Baid 2021, arXiv:2107.02314. 2023: Adewole
2023, arXiv:2305.19369. After treatment: de Verdier 2024, arXiv:2405.18368. Children: Kazerooni 2024, arXiv:2404.15009.
"""

import re
from collections.abc import Mapping, Sequence

from gliobench.cohort.subject import Fault, Findings, Subject, named

UNDIVIDED = 255  # tumour whose parts are not marked
SCHEMES: Mapping[str, Mapping[int, int]] = {
    "brats-2012": {1: 1, 2: 2, 3: 1, 4: 4},  # necrosis, oedema, non-enhancing tumour, enhancing
    "brats-2018": {1: 1, 2: 2, 4: 4},  # and 2017 to 2021
    "brats-2023": {1: 1, 2: 2, 3: 3},
    "brats-2024-post-treatment": {1: 1, 2: 2, 3: 3, 4: 0},  # 4: resection cavity, which is not tumour
    "brats-ped": {1: 3, 2: 1, 3: 1, 4: 2},  # enhancing, non-enhancing, cyst, oedema
    "decathlon": {1: 2, 2: 1, 3: 3},
    "whole-tumour": {1: UNDIVIDED},
}
BY_NAME = (
    (re.compile(r"BraTS-PED-\d", re.IGNORECASE), "brats-ped"),
    (re.compile(r"BraTS-GLI-\d+-1\d\d(?!\d)", re.IGNORECASE), "brats-2024-post-treatment"),  # 2023's end in -0nn
)
SAID = {
    "brats-ped": "labels as in BraTS-PED: 1 enhancing, 2 and 3 (cyst) non-enhancing core, 4 oedema",
    "brats-2024-post-treatment": "labels as in BraTS 2024 after treatment: 4, a resection cavity, is not tumour",
    "whole-tumour": "the mask marks the whole tumour and none of its parts",
}
COLUMN = "label_scheme"  # of a table


def scheme_of(name: str) -> str | None:
    """The numbering that a patient's id, or the name of a mask's file, implies; None where it implies none."""
    return next((scheme for pattern, scheme in BY_NAME if pattern.match(name)), None)


def scheme_notes(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """Notes on the labels of patients whose numbering differs from most of BraTS."""
    concerned = {name: [one.id for one in subjects if one.mask and one.relabel == SCHEMES[name]] for name in SAID}
    return tuple(f"{named(ids)}: {SAID[name]}" for name, ids in concerned.items() if ids)


def numbering_faults(findings: Mapping[str, Findings], stated: frozenset[str]) -> tuple[Fault, ...]:
    """Faults of all patients with a mask whose numbering is not `stated` (their ids), where some of these masks have
    the label 3 and some 4: no numbering of adults before treatment since 2017 has both, so it is unknown."""
    labels = {id: found.labels for id, found in findings.items() if found.labels and id not in stated}
    holders = [next((id for id, found in sorted(labels.items()) if label in found), None) for label in (3, 4)]
    if None in holders:
        return ()
    why = (
        f"what its mask's labels mean is unknown: {holders[0]} has the label 3 and {holders[1]} the label 4; state "
        f"it in a column {COLUMN}: {', '.join(SCHEMES)}"
    )
    return tuple(Fault(id, why) for id in sorted(labels))
