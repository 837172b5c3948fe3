"""Which window of a scan the reference study cut: of its test patients, had back from what it took for the truth.

It cut 128 x 128 voxels at random out of every scan and did not write down where. The boxes that stand beside its raw
answers are those of label 1 inside the window, so that the mask tells where it lay (`gliobench.replay.windows`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gliobench.cohort.nifti import NiftiError
from gliobench.cohort.read import SubjectError, load_subject
from gliobench.cohort.reference_study import tested_patients
from gliobench.cohort.subject import Cohort, Fault, Subject
from gliobench.grid.resample import turned
from gliobench.replay.external import ExternalAnswer
from gliobench.replay.placed import TARGET, digest_of, external_of
from gliobench.replay.read import read_external
from gliobench.replay.windows import find_windows
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Box


@dataclass(frozen=True)
class Windows:
    """By patient, row and column of the scan where the window begins; `unknown`: who was tested and has none, and why.

    The study's other patients are in neither: nobody was asked about them.
    """

    known: Mapping[str, tuple[int, int]]
    unknown: tuple[Fault, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on for how many the window is known; none where nobody was looked for."""
        tested = len(self.known) + len(self.unknown)
        if not tested:
            return ()
        return (
            f"The reference study tested {tested} patients of this cohort. The window that it cut at random is known "
            f"of {len(self.known)}, told by label 1 of their masks; who has none is left out.",
        )


NO_WINDOWS = Windows({}, ())


def windows_digest(folder: Path) -> str:
    """Of all that windows are told from. Raises ReplayError."""
    return digest_of(read_external(folder, CENTRE.name))


def find_study_windows(cohort: Cohort, folder: Path) -> Windows:
    """The windows of the study's test patients in a cohort, from its raw answers about centres. Raises ReplayError.

    A patient whose files cannot be read is left to the stage that prepares, which says why.
    """
    external = external_of(read_external(folder, CENTRE.name))
    known: dict[str, tuple[int, int]] = {}
    unknown = []
    for subject in cohort.subjects:
        if subject.id not in tested_patients():
            continue
        try:
            known[subject.id] = _window(subject, cohort.labels, external.get(subject.id, []))
        except _Unknown as error:
            unknown.append(Fault(subject.id, f"the window that the reference study cut is not known: {error}"))
        except (NiftiError, SubjectError):
            continue
    return Windows(known, tuple(unknown))


def without_unknown(cohort: Cohort, windows: Windows) -> Cohort:
    """The cohort without the patients whose answers nobody could lay on their scan."""
    absent = {fault.subject_id for fault in windows.unknown}
    return replace(cohort, subjects=tuple(one for one in cohort.subjects if one.id not in absent))


class _Unknown(ValueError):
    """Why a window is not known, without the patient's name."""


def _window(subject: Subject, labels: frozenset[int], answers: list[ExternalAnswer]) -> tuple[int, int]:
    boxes = [answer.truth if isinstance(answer.truth, Box) else None for answer in answers]
    if not any(boxes):
        raise _Unknown("there is no raw answer with a box of it")
    raw = load_subject(subject, labels)
    if raw.labels is None:
        raise _Unknown("the patient has no mask to hold the published boxes against")
    voxels, affine = turned(raw.labels, raw.affine)
    found = {(window.row, window.column) for window in find_windows(boxes, voxels == TARGET)}
    if len(found) != 1:
        spacing = " x ".join(f"{size:g}" for size in np.linalg.norm(affine[:3, :3], axis=0))
        raise _Unknown(
            f"{len(found) or 'no'} windows fit the {len(answers)} published boxes, one is expected; the scan has "
            f"voxels of {spacing} mm, and they count pixels of 1 mm"
        )
    return found.pop()
