"""What the voxels of a cohort are like: spacing, extent, intensities, background, and the volume of each label."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.read import SubjectError, cohort_faults, load_subject
from gliobench.cohort.subject import Cohort, Fault, Findings, RawSubject, Subject
from gliobench.grid.background import backgrounds, head
from gliobench.grid.resample import orient
from gliobench.study.state.progress import Voice

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """One scan. `shape` and `spacing_mm` as stored, along (x, y, z); `extent_mm` of the body and `whole_mm` of the
    volume, along (depth, height, width); `lowest`: each image's lowest value; `background`: the fraction of voxels that
    are background; `label_ml`: the volume of each label of the mask, None without a mask."""

    shape: tuple[int, int, int]
    spacing_mm: Triple
    extent_mm: Triple
    whole_mm: Triple
    lowest: Mapping[str, float]
    background: float
    label_ml: Mapping[int, float] | None
    findings: Findings


@dataclass(frozen=True)
class Survey:
    """The scans that could be read, by id, and the faults of the others."""

    looks: Mapping[str, Look]
    faults: tuple[Fault, ...]

    @property
    def labels(self) -> dict[int, list[float]]:
        """The volumes in ml of each label, in the scans that have it."""
        found: dict[int, list[float]] = {}
        for look in self.looks.values():
            for label, volume_ml in (look.label_ml or {}).items():
                found.setdefault(label, []).append(volume_ml)
        return dict(sorted(found.items()))

    @property
    def masked(self) -> list[str]:
        """The scans with a mask."""
        return [id for id, look in self.looks.items() if look.label_ml is not None]

    @property
    def empty(self) -> list[str]:
        """The scans whose mask is empty."""
        return [id for id, look in self.looks.items() if look.label_ml == {}]


def survey(cohort: Cohort, voice: Voice, workers: int = 2) -> Survey:
    """Read all voxels of a cohort, whose problem allows empty masks."""
    found: dict[str, Look] = {}
    faults = list(cohort.faults)
    with ThreadPoolExecutor(workers) as pool, voice.bar("read", len(cohort.subjects)) as advance:
        looks = pool.map(lambda subject: _look(subject, cohort), cohort.subjects)
        for done, (subject, look) in enumerate(zip(cohort.subjects, looks, strict=True), start=1):
            if isinstance(look, Look):
                found[subject.id] = look
            else:
                faults += look
            advance(done, "scans")
    faults += cohort_faults(cohort, {id: look.findings for id, look in found.items()})
    wrong = {fault.subject_id for fault in faults}
    return Survey({id: look for id, look in found.items() if id not in wrong}, tuple(faults))


def _look(subject: Subject, cohort: Cohort) -> Look | tuple[Fault, ...]:
    try:
        return _looked(
            load_subject(subject, cohort.labels, replace(cohort.problem, absent="allowed")), list(subject.images)
        )
    except SubjectError as error:
        return error.faults


def _looked(raw: RawSubject, images: list[str]) -> Look:
    scan = orient(raw)
    body = head(scan.images, backgrounds(scan.images))
    spacing_mm = np.linalg.norm(raw.affine[:3, :3], axis=0)
    return Look(
        shape=raw.images.shape[1:],
        spacing_mm=_triple(spacing_mm),
        extent_mm=_triple(_extent(body) * scan.spacing_mm),
        whole_mm=_triple(np.array(body.shape) * scan.spacing_mm),
        lowest={name: float(image.min()) for name, image in zip(images, raw.images, strict=True)},
        background=1 - np.count_nonzero(body) / body.size,
        label_ml=None if raw.labels is None else _volumes(raw.labels, float(np.prod(spacing_mm))),
        findings=raw.findings,
    )


def _extent(body: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The size in voxels of the box around a body; of the whole volume where there is none."""
    filled = [np.flatnonzero(body.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return np.array([np.ptp(found) + 1 if len(found) else size for found, size in zip(filled, body.shape, strict=True)])


def _volumes(labels: NDArray[np.uint8], voxel_mm3: float) -> dict[int, float]:
    counts = np.bincount(labels.ravel(order="K"))
    return {int(label): float(counts[label] * voxel_mm3 / 1000) for label in np.flatnonzero(counts) if label}


def _triple(values: NDArray[np.floating]) -> Triple:
    first, second, third = values.tolist()
    return first, second, third
