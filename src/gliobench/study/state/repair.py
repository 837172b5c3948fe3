"""Move damaged files of a run folder aside, keep what is intact, and list what the next run has to repeat."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from gliobench.errors import GliobenchError
from gliobench.integrity import DamagedError, name_aside, read_keys, read_stamp, set_aside, write_stamp, write_whole
from gliobench.records.errors import RecordError
from gliobench.records.record import Record
from gliobench.records.store import RecordStore, lines_of
from gliobench.records.value import WHOLE_MASK, Arrays, mask_files
from gliobench.study.parts.stage import Stage
from gliobench.study.state.folder import StudyFolder
from gliobench.study.state.lock import locked

# What a training leaves to be looked at: where it is lost, the report goes without it, and nothing is learnt again.
TO_LOOK_AT = ("curves.csv", "losses.csv", "figures.json", "README.md", "checks.json", "sweep.json")


def repair(root: Path) -> Iterator[str]:
    """Repair the run folder `root`; a sentence for all that was damaged.

    What is damaged is set aside beside its place (`.damaged`), never deleted. Raises GliobenchError where `root` is no
    run folder, and LockedError where a process is at work on it.
    """
    folder = StudyFolder(root)
    if not folder.stamps.is_dir() and not folder.answers("").parent.is_dir():
        raise GliobenchError(f"{root} is no run folder: it holds neither {folder.stamps.name}/ nor answers/")
    for model in folder.answered_models:
        with _nobody_asks(folder, model):
            yield from _answers(folder, RecordStore(folder.answers(model)))
    for path in sorted(folder.stamps.glob("*.json")):
        with locked(path.with_suffix(".lock"), path.stem):
            yield from _stage(folder, path)
    for model in folder.asked_models:
        yield from _lost(folder, model)
    branches = (folder.curve(""), folder.seeds(""), folder.sensitivity(""))
    for point in sorted(path for branch in branches for path in branch.glob("*/*")):
        if point.is_dir():
            yield from repair(point)


@contextmanager
def _nobody_asks(folder: StudyFolder, model: str) -> Iterator[None]:
    """Hold the locks of all that ask a model."""
    stage = Stage("predict", model)
    with ExitStack() as held:
        for path in (folder.lock(stage), *folder.shards(stage, ".lock")):
            held.enter_context(locked(path, path.stem))
        yield


def _answers(folder: StudyFolder, store: RecordStore) -> Iterator[str]:
    """Keep the whole records whose masks are whole too and that no other contradicts; the lines of the others go into
    a file beside theirs."""
    for path in store.files:
        if not path.is_file():
            yield f"{path}: not a file; set aside as {set_aside(path).name}"
    arrays, contradicted = Arrays(folder.masks), store.contradicted()
    for path in store.files:
        yield from _file(arrays, path, contradicted)


def _file(arrays: Arrays, path: Path, contradicted: Collection[str]) -> Iterator[str]:
    kept, damaged = [], []
    for line in lines_of(path):
        fault = _fault(arrays, line.found, contradicted) if isinstance(line.found, Record) else line.found
        if fault is None:
            kept.append(line.text)
        else:
            damaged.append(line.text)
            yield f"{line.place}: {fault}"
    if damaged:
        aside = Path(shutil.copy2(path, name_aside(path)))
        write_whole(path, "".join(kept).encode())
        yield f"{path}: {len(kept)} intact records kept; the file with all {len(kept) + len(damaged)} is {aside.name}"


def _fault(arrays: Arrays, record: Record, contradicted: Collection[str]) -> str | None:
    if record.key in contradicted:
        return f"one of several answers of {record.model} about {record.subject} ({record.task})"
    return _mask_fault(arrays, record)


def _mask_fault(arrays: Arrays, record: Record) -> str | None:
    """What is wrong with the mask of a record, which is then set aside; None where nothing is."""
    for key, digest in mask_files(record.value).items():
        assert record.value is not None
        try:
            arrays.load(key, tuple(record.value[WHOLE_MASK]), digest)
        except RecordError as error:
            if (path := arrays.folder / f"{key}.npy").exists():
                set_aside(path)
            return str(error.__cause__ or error)
    return None


def _stage(folder: StudyFolder, path: Path) -> Iterator[str]:
    """Where something is damaged that a stage left, set it aside, and the stamp: the next run does the stage again."""
    try:
        stamp = read_stamp(path)
    except DamagedError as error:
        yield f"{error}; set aside as {set_aside(path).name}"
        return
    if stamp is None or not (faults := stamp.faults(folder.root)):
        return
    for name, fault in faults.items():
        aside = f"; set aside as {set_aside(folder.root / name).name}" if (folder.root / name).exists() else ""
        yield f"{path.stem}: {fault}{aside}"
    if all(Path(name).name in TO_LOOK_AT for name in faults):
        whole = {name: listed for name, listed in (stamp.files or {}).items() if name not in faults}
        write_stamp(path, replace(stamp, files=whole))
        yield f"{path.stem}: nothing is trained again; the report leaves out what is lost"
    else:
        path.unlink()
        yield f"{path.stem}: the next run repeats it"


def _lost(folder: StudyFolder, model: str) -> Iterator[str]:
    """Where answers are gone that a model was asked for, have the next run ask again."""
    stamp = folder.stamp(Stage("predict", model))
    if not stamp.exists():
        return
    try:
        lists = [one(model) for one in (folder.asked, folder.repeated, folder.validation)]
        lists += [path for path in [folder.controls(model)] if path.exists()]
        keys = {key for path in lists for key in read_keys(path)}
    except (OSError, DamagedError):
        return  # the stage makes its lists again, and asks what has no answer
    if gone := keys - {record.key for record in RecordStore(folder.answers(model)).read()}:
        stamp.unlink()
        yield f"{model}: {len(gone)} of {len(keys)} answers are lost; the next run repeats only these"
