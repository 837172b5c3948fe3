"""Which patient a scan belongs to: what its id says, and what follows for a set of scans.

Only this file reads ids, once, when a cohort is read (`Subject.patient`). From there on the cohort and its prepared
patients carry the mapping from scan to patient; only ids outside the cohort, such as the training patients of another
run, are read again.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

# Words for a time point after a patient's number: P7_baseline, Patient-001_week-000-1, P7_visit2_T1. A number
# after `pre`, `post` or `scan` may be a patient's, and so may a long one after `T`.
TIME = (
    r"(?:baseline|pre[-_]?op|post[-_]?op|pre|post|follow[-_]?up[-_]?\d{0,2}|t\d{1,2}"
    r"|(?:time[-_]?point|time|tp|week|month|day|visit|session|ses|fu)[-_]?\d{1,4}(?:-\d{1,2})?)"
)
# BraTS 2023 and later: BraTS-GLI-<patient>-<time>, BraTS-MEN-RT-<patient>-<time>, and our phantoms as they are;
# UPENN-GBM: <patient>_11 at first, _21 later; UCSF-PDGM: follow-ups _FU<days>d; BIDS: sub-<patient>_ses-<time>.
SCANS = re.compile(
    r"(?P<brats>BraTS(?:-[A-Z]+)+-\d+)-\d{3}|(?P<radiotherapy>BraTS-[A-Z]+-RT-\d{4,})-\d{1,3}"
    r"|(?P<phantom>Phantom_\d+)-\d{3}|(?P<upenn>UPENN-GBM-\d+)_\d{2}"
    r"|(?P<ucsf>UCSF-PDGM-\d+)(?:_FU\d+d)?(?:_nifti)?"
    r"|(?P<bids>sub-[A-Za-z0-9]+)[_/]ses-[A-Za-z0-9]+.*"
    rf"|(?P<word>.*?\d)(?i:[-_]{TIME})+"
)
# What may be a time point, or another patient's number: P7_2, P7_scan3, AAB_visit1, P7_2019-03-01.
PERHAPS = re.compile(
    rf"(?P<stem>.+?)[-_.](?P<time>\d{{1,3}}|(?:19|20)\d\d-?[01]\d-?[0-3]\d|(?i:(?:scan|pre|post)[-_]?\d{{1,3}}|{TIME}))"
)
HIGHEST_TIME, MOST_TIMES = 20, 6  # a larger number is a patient's; so are ids where more share a stem, on average
FEWEST_STEMS = 3  # with fewer, the stem is a site or a collection


class Scan(Protocol):
    """A scan: its id and its patient."""

    @property
    def id(self) -> str: ...

    @property
    def patient(self) -> str: ...


def patient_of(scan: str) -> str:
    """The patient of a scan's id, by its form; the id itself where it does not clearly name a time point."""
    match = SCANS.fullmatch(scan)
    return match[match.lastgroup or 0] if match else scan


def patients_of(scans: Iterable[Scan]) -> dict[str, str]:
    """Each scan's id with its patient."""
    return {scan.id: scan.patient for scan in scans}


def names_of(scans: Iterable[Scan]) -> set[str]:
    """The ids of scans and the names of their patients: all the names that another cohort may use for them."""
    return {name for scan in scans for name in (scan.id, scan.patient)}


def scans_of(patients: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Those scans of `patients` (scan -> patient), sorted, that are of the same person as one of `known`, which are ids
    of scans or patients' names; an id that is not a key of `patients` is read by its form."""
    persons = set(known) | {patients.get(name) or patient_of(name) for name in known}
    return sorted(scan for scan, patient in patients.items() if scan in known or patient in persons)


def several_scans(patients: Mapping[str, str]) -> dict[str, list[str]]:
    """The patients with more than one scan, and these, of `patients` (scan -> patient)."""
    return {patient: own for patient, own in _own(patients).items() if len(own) > 1}


def patient_faults(patients: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Scans of `patients` (scan -> patient) whose id is another patient's name, each with its fault."""
    names = set(patients.values())
    for scan, patient in sorted(patients.items()):
        if scan != patient and scan in names:
            yield scan, f"a scan of patient {patient}, and another patient has the name {scan}: rename one of the two"


def suspected(patients: Mapping[str, str]) -> dict[str, list[str]]:
    """Scans that count as different patients and may be one: by the stem of their ids, where the rest may be a time
    point. `patients`: scan -> patient."""
    stems: dict[str, list[str]] = {}
    for scan, patient in patients.items():
        match = PERHAPS.fullmatch(scan) if scan == patient else None
        if match and not (match["time"].isdigit() and HIGHEST_TIME < int(match["time"]) < 1000):
            stems.setdefault(match["stem"], []).append(scan)
    found = {stem: [*own, *stems[stem]] for stem, own in _own(patients).items() if stem in stems}
    if len(stems) >= FEWEST_STEMS and sum(map(len, stems.values())) <= MOST_TIMES * len(stems):
        found |= {stem: scans for stem, scans in stems.items() if len(scans) > 1 and stem not in found}
    return found


def _own(patients: Mapping[str, str]) -> dict[str, list[str]]:
    """The scans of every patient."""
    found: dict[str, list[str]] = {}
    for scan, patient in patients.items():
        found.setdefault(patient, []).append(scan)
    return found
