"""From a folder to a checked cohort."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.align import Volume, axes_of, same_place, turned_onto
from gliobench.cohort.check import check_geometry, check_image, check_labels, labels_in, whole_numbers
from gliobench.cohort.formats.stored import Stored, VolumeError
from gliobench.cohort.formats.volume_file import decode_stored, read_stored
from gliobench.cohort.label_schemes import numbering_faults, scheme_notes
from gliobench.cohort.layouts import LAYOUTS
from gliobench.cohort.layouts.layout import Layout, subfolders, without_mask
from gliobench.cohort.layouts.table import ENDINGS, TABLE
from gliobench.cohort.patients import patient_faults, patients_of, suspected
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.readers import consensus, reader_masks
from gliobench.cohort.resample import resampled_onto_first
from gliobench.cohort.sources import with_sources
from gliobench.cohort.subject import (
    Cohort,
    CohortError,
    Fault,
    Findings,
    RawSubject,
    Subject,
    named,
)
from gliobench.cohort.twins import twin_faults, voxel_digests
from gliobench.errors import GliobenchError, printable

DEEPEST, MOST_FOLDERS = 4, 100  # how far a cohort is searched for inside the named folder


class SubjectError(GliobenchError, ValueError):
    """One patient is invalid; `faults` lists why."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults

    def __reduce__(self) -> tuple[type["SubjectError"], tuple[tuple[Fault, ...]]]:
        return SubjectError, (self.faults,)  # so that it can be pickled by a worker process


def find_cohort(root: Path, problem: Problem = GLIOMA) -> Cohort:
    """Recognise the layout of a folder (or table) and find its patients, without reading a voxel.

    A parent of the folder that holds the patients is fine. Invalid patients (missing files, a duplicated id) are in
    `faults`. Raises CohortError where there is no such folder, no known layout, or no patient in it.
    """
    try:
        if not root.exists():
            raise CohortError(f"{root}: no such folder or table")
        return _find(root, problem)
    except OSError as error:
        raise CohortError(f"{error.filename or root}: cannot be read: {error.strerror}") from error


def _find(root: Path, problem: Problem) -> Cohort:
    inner, layout = _recognised(root, problem)
    subjects, faults, notes = layout.find(inner, problem)
    counts = Counter(subject.id for subject in subjects)
    twice = [Fault(id, f"the id is duplicated ({count} times)") for id, count in sorted(counts.items()) if count > 1]
    once = sorted((subject for subject in subjects if counts[subject.id] == 1), key=lambda subject: subject.id)
    if not subjects and not faults:
        raise CohortError(f"{inner}: looks like {layout.name}, but holds no patient; expected {layout.expects}")
    wrong = [Fault(id, problem) for id, problem in patient_faults(patients_of(once))]
    good = with_sources([one for one in once if one.id not in {fault.subject_id for fault in wrong}], inner)
    notes = (
        *notes,
        *scheme_notes(good),
        *without_mask(good),
        *_without_grade(inner, layout, good, problem),
        *_whose(good),
    )
    if problem.structures:
        good = [replace(one, structures=dict(problem.structures)) for one in good]
    labels, faults = layout.labels or problem.labels, [*faults, *twice, *wrong]
    return Cohort(inner.stem, inner, layout.name, labels, tuple(good), tuple(faults), notes, problem)


def _whose(subjects: Sequence[Subject]) -> Iterator[str]:
    """A note where scans that count as different patients look like several of one."""
    if found := suspected(patients_of(subjects)):
        first = printable(", ".join(next(iter(found.values()))[:3]))
        yield (
            f"warning: {sum(map(len, found.values()))} scans ({first}, …) may be {len(found)} patients, but count as "
            "different ones, so that one person can be in training and in test: if they are, name each scan's patient "
            "(a table with the column `patient`: docs/data.md)"
        )


def _without_grade(root: Path, layout: Layout, subjects: Sequence[Subject], problem: Problem) -> Iterator[str]:
    """A note where no class is known, with the tables in the folder that may have them."""
    if problem.classes and subjects and all(subject.grade is None for subject in subjects):
        paths = sorted(root.iterdir()) if layout is not TABLE else []
        tables = [path.name for path in paths if path.suffix.lower() in ENDINGS]
        asked = problem.asked
        unread = f"; not searched for {problem.classes_word}: {printable(', '.join(tables[:3]))}" if tables else ""
        yield f"no patient has a {asked}: {asked} cannot be asked about{unread}"


def _recognised(root: Path, problem: Problem) -> tuple[Path, Layout]:
    """The folder with a known layout: `root`, or one inside it; of several, the one with masks."""
    found, level = [], [root]
    for _ in range(DEEPEST):
        found = [(folder, layout) for folder in level if (layout := _layout(folder, problem)) is not None]
        if found:
            break
        level = [inner for folder in level if folder.is_dir() for inner in subfolders(folder)][:MOST_FOLDERS]
    if len(found) > 1:
        masked = [one for one in found if any(subject.mask for subject in one[1].find(one[0], problem).subjects)]
        found = masked or found
    if len(found) > 1:
        raise CohortError(f"{root}: holds several cohorts, name one: {', '.join(str(folder) for folder, _ in found)}")
    if not found:
        known = "\n".join(f"  {layout.name}: {layout.expects}" for layout in LAYOUTS.values())
        images = f"the images {', '.join(problem.names)} of the problem {problem.name}"
        raise CohortError(f"{root}: no known layout of {images}; found {_listing(root)}. Known are\n{known}")
    return found[0]


def _layout(root: Path, problem: Problem) -> Layout | None:
    return next((layout for layout in LAYOUTS.values() if layout.recognises(root, problem)), None)


@dataclass(frozen=True)
class SubjectFiles:
    """The bytes of all files of a patient, each read once: digest and voxels are of the same bytes."""

    subject: Subject
    data: Mapping[Path, Stored]

    @cached_property
    def content(self) -> str:
        """SHA-256 (hexadecimal) over the files on disk, in the order of the channels, mask last, and over how the mask
        is relabelled and its structures are chosen."""
        total = hashlib.sha256()
        for name, path, channel in _files(self.subject):
            total.update(f"{name} {channel} {self.data[path].digest}\n".encode())
        if self.subject.relabel:
            total.update(f"relabel {sorted(self.subject.relabel.items())}\n".encode())
        if self.subject.structures:
            total.update(f"structures {sorted(self.subject.structures.items())}\n".encode())
        return total.hexdigest()


def read_files(subject: Subject) -> SubjectFiles:
    """Read a patient's files without decompressing them. Raises SubjectError with all that cannot be read."""
    data: dict[Path, Stored] = {}
    faults = []
    for path in dict.fromkeys(path for _, path, _ in _files(subject)):
        try:
            data[path] = read_stored(path)
        except VolumeError as error:
            faults.append(Fault(subject.id, str(error), path))
    if faults:
        raise SubjectError(tuple(faults))
    return SubjectFiles(subject, data)


def load_subject(subject: Subject, labels: frozenset[int], problem: Problem = GLIOMA) -> RawSubject:
    """Read and check a patient's voxels. Raises SubjectError with all their faults."""
    return decode_subject(read_files(subject), labels, problem)


def decode_subject(files: SubjectFiles, labels: frozenset[int], problem: Problem = GLIOMA) -> RawSubject:
    """The checked voxels of a patient's files; `labels`: those that its mask may hold. Raises SubjectError with all
    their faults."""
    subject, faults = files.subject, list[Fault]()
    volumes = _decode_volumes(files, faults)
    if faults:
        raise SubjectError(tuple(faults))
    volumes, turned = _turned(volumes)
    volumes, resampled = resampled_onto_first(volumes)
    faults += check_geometry(subject, volumes)
    for name in subject.images:
        faults += check_image(subject, name, volumes[name][0])
    mask = whole_numbers(volumes["mask"][0]) if "mask" in volumes else None
    values = [] if mask is None else labels_in(mask)
    if mask is not None:
        faults += check_labels(subject, values, frozenset(subject.relabel) or labels, problem)
    coded, wrong = reader_masks(subject, volumes)
    faults += wrong
    if problem.consensus == "staple" and coded is not None and find_spec("SimpleITK") is None:
        faults.append(Fault(subject.id, "consensus: staple needs SimpleITK: pip install 'gliobench[formats]'"))
    if faults:
        raise SubjectError(tuple(faults))
    images, affine = {name: volumes[name][0] for name in subject.images}, next(iter(volumes.values()))[1]
    found = Findings(
        voxels=voxel_digests(images, affine),
        labels=tuple(map(int, values)),
        notes=(*turned, *resampled, *(f"{name} is missing: background stands for it" for name in subject.lacking)),
    )
    return RawSubject(
        id=subject.id,
        grade=subject.grade,
        images=_stack(_channels(images, subject, problem)),
        lacking=subject.lacking,
        labels=_labels(mask, coded, subject, problem),
        readers=coded,
        affine=affine,
        content=files.content,
        findings=found,
    )


def read_cohort(root: Path, problem: Problem = GLIOMA, *, skip_bad: bool = False, workers: int = 2) -> Cohort:
    """Find a cohort and check every voxel of it.

    Raises CohortError listing every invalid patient; with `skip_bad` they are only in `faults`.
    """
    cohort = find_cohort(root, problem)
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(lambda subject: _findings(subject, cohort), cohort.subjects))
    ids = [subject.id for subject in cohort.subjects]
    findings = {id: one for id, one in zip(ids, found, strict=True) if isinstance(one, Findings)}
    own = [fault for one in found if not isinstance(one, Findings) for fault in one]
    together = cohort_faults(cohort, findings)
    faults = (*cohort.faults, *own, *together)
    if faults and not skip_bad:
        raise faults_error(cohort, faults)
    bad = {fault.subject_id for fault in together}
    good = tuple(subject for subject in cohort.subjects if subject.id in findings.keys() - bad)
    notes = (*cohort.notes, *patient_notes({id: one for id, one in findings.items() if id not in bad}))
    return replace(cohort, subjects=good, faults=faults, notes=notes)


def cohort_faults(cohort: Cohort, findings: Mapping[str, Findings]) -> tuple[Fault, ...]:
    """Faults that show only when patients (id -> findings) are compared with each other."""
    stated = frozenset(subject.id for subject in cohort.subjects if subject.relabel)
    several = cohort.problem.reading == "glioma" and {3, 4} <= cohort.labels
    mixed = numbering_faults(findings, stated) if several else ()
    return (*twin_faults(findings), *mixed)


def patient_notes(findings: Mapping[str, Findings]) -> tuple[str, ...]:
    """The notes on patients, each once with the ids it concerns."""
    concerned: dict[str, list[str]] = defaultdict(list)
    for id, found in findings.items():
        for note in found.notes:
            concerned[note].append(id)
    return tuple(f"{named(ids)}: {note}" for note, ids in concerned.items())


def _findings(subject: Subject, cohort: Cohort) -> Findings | tuple[Fault, ...]:
    """The findings in a patient's voxels, or their faults."""
    try:
        return load_subject(subject, cohort.labels, cohort.problem).findings
    except SubjectError as error:
        return error.faults


def faults_error(cohort: Cohort, faults: Iterable[Fault]) -> CohortError:
    """One message that lists every invalid patient."""
    faults = tuple(faults)
    patients = len({fault.subject_id for fault in faults})
    listed = "\n".join(f"  {fault}" for fault in faults)
    return CohortError(
        f"{cohort.root}: {patients} invalid patients (fix them, or skip them: --skip-bad)\n{listed}",
        faults,
    )


def _files(subject: Subject) -> list[tuple[str, Path, int | None]]:
    return [(name, file.path, file.channel) for name, file in subject.files.items()]


def _decode_volumes(files: SubjectFiles, faults: list[Fault]) -> dict[str, Volume]:
    """Images and mask by name; what cannot be decoded goes to `faults`."""
    decoded: dict[Path, Volume] = {}
    volumes: dict[str, Volume] = {}
    for name, path, channel in _files(files.subject):
        try:
            if path not in decoded:
                onto = next(iter(volumes.values()), None)
                decoded[path] = decode_stored(files.data[path], onto, files.subject.structures)
            voxels, affine = decoded[path]
            if channel is not None and not (voxels.ndim == 4 and channel < voxels.shape[3]):
                raise VolumeError(f"shape {voxels.shape}: expected a fourth axis with channel {channel} for {name}")
            volumes[name] = (voxels if channel is None else voxels[..., channel], affine)
        except VolumeError as error:
            faults.append(Fault(files.subject.id, str(error), path))
    return volumes


def _turned(volumes: Mapping[str, Volume]) -> tuple[dict[str, Volume], tuple[str, ...]]:
    """The volumes with the axes of the first, where permuting and flipping them is enough; and notes of it."""
    first = next(iter(volumes))
    turned, notes = dict(volumes), []
    for name, volume in volumes.items():
        if not same_place(volume, volumes[first]) and (found := turned_onto(volume, volumes[first])) is not None:
            turned[name] = found
            axes = axes_of(volume[1]), axes_of(volumes[first][1])
            notes.append(
                f"{name} was reoriented from {axes[0]} to {axes[1]}, the axes of {first}, without interpolation"
            )
    return turned, tuple(notes)


def _labels(
    mask: NDArray[np.generic] | None, coded: NDArray[np.uint8] | None, subject: Subject, problem: Problem
) -> NDArray[np.uint8] | None:
    """The mask's labels; without a mask the readers' consensus, where there are readers."""
    if mask is not None:
        return _relabelled(mask, subject.relabel)
    return None if coded is None else consensus(coded, problem)


def _channels(
    images: Mapping[str, NDArray[np.generic]], subject: Subject, problem: Problem
) -> list[NDArray[np.generic]]:
    """All images in the order of the channels, 0 for one that is missing."""
    if not subject.lacking:
        return list(images.values())
    first = next(iter(images.values()))
    return [images.get(name, np.zeros_like(first)) for name in problem.names]


def _relabelled(mask: NDArray[np.generic], relabel: Mapping[int, int]) -> NDArray[np.uint8]:
    brats = np.arange(256, dtype=np.uint8)
    brats[list(relabel.keys())] = list(relabel.values())
    labels = mask.astype(np.uint8)
    return brats[labels] if any(old != new for old, new in relabel.items()) else labels


def _stack(images: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """(C, X, Y, Z) with Z outermost in memory, as on disk: a copy in the other order takes four times as long."""
    shape = (len(images), *images[0].shape[::-1])
    stacked = np.empty(shape, dtype=np.result_type(*images))
    for place, image in zip(stacked, images, strict=True):
        place[...] = image.T
    return stacked.transpose(0, 3, 2, 1)


def _listing(root: Path) -> str:
    names = [root.name] if root.is_file() else sorted(path.name for path in root.iterdir())
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "an empty folder"
