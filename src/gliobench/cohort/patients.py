"""Whose scan a scan is: several of one patient, taken at different times, are told by the names of collections."""

import re
from collections.abc import Collection, Iterable

# BraTS 2023 and later: BraTS-GLI-<patient>-<time>; UPENN-GBM: <patient>_11 at first, _21 later; UCSF-PDGM: follow-ups
# _FU<days>d; BIDS: sub-<patient>_ses-<time>.
SCANS = re.compile(
    r"(?P<brats>BraTS-[A-Z]+-\d+)-\d{3}"
    r"|(?P<upenn>UPENN-GBM-\d+)_\d{2}"
    r"|(?P<ucsf>UCSF-PDGM-\d+)(?:_FU\d+d)?(?:_nifti)?"
    r"|(?P<bids>sub-[A-Za-z0-9]+)[_/]ses-[A-Za-z0-9]+.*"
)


def patient_of(scan: str) -> str:
    """The patient of a scan's id; the id itself where it names no time."""
    match = SCANS.fullmatch(scan)
    return match[match.lastgroup or 0] if match else scan


def scans_of(scans: Iterable[str], patients: Collection[str]) -> list[str]:
    """Those of `scans`, sorted, that are of the same person as one of `patients` (ids of scans, or patients)."""
    known = {patient_of(id) for id in patients}
    return sorted({scan for scan in scans if patient_of(scan) in known})


def several_scans(scans: Iterable[str]) -> dict[str, list[str]]:
    """The patients with more than one scan, and these."""
    found: dict[str, list[str]] = {}
    for scan in scans:
        found.setdefault(patient_of(scan), []).append(scan)
    return {patient: own for patient, own in found.items() if len(own) > 1}
