"""From a folder to a checked cohort."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.check import Volume, check_geometry, check_image, check_labels
from gliobench.cohort.layouts import LAYOUTS
from gliobench.cohort.nifti import NiftiError, decode_volume, read_bytes
from gliobench.cohort.subject import MODALITIES, Cohort, CohortError, Fault, RawSubject, Subject
from gliobench.errors import GliobenchError


class SubjectError(GliobenchError, ValueError):
    """One patient cannot be used; `faults` says why, one by one."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults

    def __reduce__(self) -> tuple[type["SubjectError"], tuple[tuple[Fault, ...]]]:
        return SubjectError, (self.faults,)  # so that it survives the way back from a worker process


class SourceDigests(NamedTuple):
    """SHA-256 of a patient's files, hexadecimal: of the `images` alone, and of all the `content`."""

    images: str
    content: str


def find_cohort(root: Path) -> Cohort:
    """Recognise the layout of a folder (or table) and find its patients, without reading a voxel.

    Patients that cannot be used (files missing, an id twice) are in `faults`. Raises CohortError where there is no
    such folder, no known layout, or no patient in it.
    """
    if not root.exists():
        raise CohortError(f"{root}: no such folder or table")
    layout = next((layout for layout in LAYOUTS if layout.recognises(root)), None)
    if layout is None:
        known = "\n".join(f"  {layout.name}: {layout.expects}" for layout in LAYOUTS)
        raise CohortError(f"{root}: no known layout; found {_listing(root)}. Known are\n{known}")
    subjects, faults = layout.find(root)
    counts = Counter(subject.id for subject in subjects)
    twice = [Fault(id, f"the id stands there {count} times") for id, count in sorted(counts.items()) if count > 1]
    once = sorted((subject for subject in subjects if counts[subject.id] == 1), key=lambda subject: subject.id)
    if not subjects and not faults:
        raise CohortError(f"{root}: looks like {layout.name}, but holds no patient; expected {layout.expects}")
    return Cohort(root.stem, root, layout.name, layout.labels, tuple(once), (*faults, *twice))


def load_subject(subject: Subject, labels: frozenset[int]) -> RawSubject:
    """Read and check a patient's voxels. Raises SubjectError with all that is wrong with them."""
    data: dict[Path, bytes] = {}
    faults: list[Fault] = []
    volumes = _read_volumes(subject, data, faults)
    if faults:
        raise SubjectError(tuple(faults))
    faults += check_geometry(subject, volumes)
    for name in MODALITIES:
        faults += check_image(subject, name, volumes[name][0])
    if "mask" in volumes:
        faults += check_labels(subject, volumes["mask"][0], labels)
    if faults:
        raise SubjectError(tuple(faults))
    return RawSubject(
        id=subject.id,
        grade=subject.grade,
        images=_stack([volumes[name][0] for name in MODALITIES]),
        labels=_relabelled(volumes["mask"][0], subject.relabel) if "mask" in volumes else None,
        affine=volumes[MODALITIES[0]][1],
        content=source_digests(subject, data).content,
    )


def source_digests(subject: Subject, data: dict[Path, bytes] | None = None) -> SourceDigests:
    """Digests over the bytes of the subject's files as they lie on disk, in the order of `MODALITIES`, mask last, and
    over how the mask is relabelled.

    `data` spares reading a file again. Raises NiftiError where a file cannot be read.
    """
    total = hashlib.sha256()
    digests: dict[Path, str] = {}
    images = ""
    for name, path, channel in _files(subject):
        if path not in digests:
            content = data[path] if data and path in data else read_bytes(path)
            digests[path] = hashlib.sha256(content).hexdigest()
        total.update(f"{name} {channel} {digests[path]}\n".encode())
        if name == MODALITIES[-1]:
            images = total.hexdigest()
    if subject.relabel:
        total.update(f"relabel {sorted(subject.relabel.items())}\n".encode())
    return SourceDigests(images, total.hexdigest())


def twin_faults(images: Mapping[str, str]) -> tuple[Fault, ...]:
    """Faults of patients (id -> digest of the images) whose images are another's, byte for byte: all of them, for
    nobody knows whose they are, and a person under two ids would be learnt from and tested."""
    ids = defaultdict(list)
    for id, digest in images.items():
        ids[digest].append(id)
    alike = [same for same in ids.values() if len(same) > 1]
    return tuple(
        Fault(id, f"the same images as {same[1] if id == same[0] else same[0]}") for same in alike for id in same
    )


def read_cohort(root: Path, *, skip_bad: bool = False, workers: int = 2) -> Cohort:
    """Find a cohort and check every voxel of it.

    Raises CohortError listing every patient at fault; with `skip_bad` they are only in `faults`.
    """
    cohort = find_cohort(root)
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(lambda subject: subject_faults(subject, cohort.labels), cohort.subjects))
        sound = [subject for subject, faults in zip(cohort.subjects, found, strict=True) if not faults]
        digests = list(pool.map(source_digests, sound))
    twins = twin_faults({subject.id: digest.images for subject, digest in zip(sound, digests, strict=True)})
    faults = (*cohort.faults, *(fault for faults in found for fault in faults), *twins)
    good = tuple(subject for subject in sound if subject.id not in {fault.subject_id for fault in twins})
    if faults and not skip_bad:
        raise faults_error(cohort, faults)
    return Cohort(cohort.name, cohort.root, cohort.layout, cohort.labels, good, faults)


def subject_faults(subject: Subject, labels: frozenset[int]) -> tuple[Fault, ...]:
    """What is wrong with a patient's files; nothing where all is well."""
    try:
        load_subject(subject, labels)
    except SubjectError as error:
        return error.faults
    return ()


def faults_error(cohort: Cohort, faults: Iterable[Fault]) -> CohortError:
    """One message that lists every patient at fault."""
    faults = tuple(faults)
    patients = len({fault.subject_id for fault in faults})
    listed = "\n".join(f"  {fault}" for fault in faults)
    return CohortError(
        f"{cohort.root}: {patients} patients cannot be used (mend them, or go on without them: --skip-bad)\n{listed}",
        faults,
    )


def _files(subject: Subject) -> list[tuple[str, Path, int | None]]:
    files = [(name, subject.images[name].path, subject.images[name].channel) for name in MODALITIES]
    return [*files, ("mask", subject.mask, None)] if subject.mask else files


def _read_volumes(subject: Subject, data: dict[Path, bytes], faults: list[Fault]) -> dict[str, Volume]:
    """Modalities and mask by name; what cannot be read goes to `faults`, the bytes read to `data`."""
    decoded: dict[Path, Volume] = {}
    volumes: dict[str, Volume] = {}
    for name, path, channel in _files(subject):
        try:
            if path not in decoded:
                data[path] = read_bytes(path)
                decoded[path] = decode_volume(data[path])
            voxels, affine = decoded[path]
            if channel is not None and not (voxels.ndim == 4 and channel < voxels.shape[3]):
                raise NiftiError(f"shape {voxels.shape}: expected a fourth axis with channel {channel} for {name}")
            volumes[name] = (voxels if channel is None else voxels[..., channel], affine)
        except NiftiError as error:
            faults.append(Fault(subject.id, str(error), path))
    return volumes


def _relabelled(mask: NDArray[np.generic], relabel: Mapping[int, int]) -> NDArray[np.uint8]:
    brats = np.arange(256, dtype=np.uint8)
    brats[list(relabel.keys())] = list(relabel.values())
    labels = mask.astype(np.uint8)
    return brats[labels] if relabel else labels


def _stack(images: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """(4, X, Y, Z) with Z outermost in memory, as on disk: a copy in the other order takes four times as long."""
    shape = (len(images), *images[0].shape[::-1])
    stacked = np.empty(shape, dtype=np.result_type(*images))
    for place, image in zip(stacked, images, strict=True):
        place[...] = image.T
    return stacked.transpose(0, 3, 2, 1)


def _listing(root: Path) -> str:
    names = [root.name] if root.is_file() else sorted(path.name for path in root.iterdir())
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "an empty folder"
