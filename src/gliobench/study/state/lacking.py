"""Whether what a study names is there and can be used: looked for before anything starts, and said all at once."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zipfile import is_zipfile

from gliobench.cohort.problem import GLIOMA
from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.files import adapter_fault, checkpoint_fault
from gliobench.models.networks.description import DESCRIPTION, another_problem, another_region
from gliobench.replay.errors import ReplayError
from gliobench.study.config.replay import Replication
from gliobench.study.config.study import Study, StudyError
from gliobench.study.kinds.base import PATH_KEYS, ModelConfig
from gliobench.study.parts.base import is_folder_name
from gliobench.study.parts.paths import REPLICATION, unset
from gliobench.study.state.variants import variant_entry, variants_of, varied_models
from gliobench.study.state.windows import windows_digest
from gliobench.tasks.prompt_file import PromptError, packaged_prompts

BRATS = "BraTS's own page has them after registration: https://www.med.upenn.edu/cbica/brats2020/data.html"
OTHER_COHORT = "a folder or a table of patients is expected (docs/data.md)"
RAW_ANSWERS = "clone https://github.com/liufeli2/Healthcare-LLM-Thesis and give --replication FOLDER"
ANOTHER_RUN = "`gliobench run` of the study that trains it makes it"


@dataclass(frozen=True)
class Kind:
    """What a key names: in words, whether it is a file, a folder or either, and where it comes from."""

    what: str
    is_file: bool | None
    source: str


KINDS = {
    "cohort": Kind("the patients' scans", None, BRATS),
    "split.file": Kind("the training, validation and test patients", True, "`gliobench split` writes such a file"),
    "split.exclude": Kind("patients kept for another cohort", None, BRATS),
    "grid.windows": Kind("the reference study's raw answers", False, f"they are public: {RAW_ANSWERS}"),
    "prompts": Kind("the prompts", True, f"those that come with the package are {', '.join(packaged_prompts())}"),
    "weights": Kind("a trained network", False, ANOTHER_RUN),
    "start": Kind("a trained network to learn on from", False, ANOTHER_RUN),
    "python": Kind("an interpreter that has nnU-Net", True, "docs/nnunet.md says how to make one"),
    "answers": Kind("external answers", None, f"those of the reference study are public: {RAW_ANSWERS}"),
    "patients": Kind("a table of answers about whole patients", True, "docs/replay.md has its columns"),
    "masks": Kind("external masks", False, "`gliobench predict --export-nifti` writes such a folder"),
    "checkpoint": Kind("a model", False, "download it there, or name it by its id on the hub"),
    "adapter": Kind("an adapter", False, "fine-tuning makes one, or name it by its id on the hub"),
}

EXTERNAL = ("answers", "patients", "masks")


@dataclass(frozen=True)
class Lack:
    """What is not there (`absent`), or is there and cannot be used. `place`: file, line and key that name it."""

    place: str
    problem: str
    absent: bool


def refuse(lacks: Iterable[Lack]) -> None:
    """Raise StudyError with all of them, where there are any; what several entries lack alike is said once."""
    places: dict[str, list[str]] = {}
    for lack in lacks:
        places.setdefault(lack.problem, []).append(lack.place)
    if places:
        raise StudyError("\n".join(f"{_first(alike)}: {problem}" for problem, alike in places.items()))


def _first(places: Sequence[str]) -> str:
    return places[0] + (f" (and {len(places) - 1} more entries)" if len(places) > 1 else "")


def lacking(study: Study, cohort: Path | None, *, answered: bool = True) -> list[Lack]:
    """All that a study names and that is not there or cannot be used; every line of external answers is read.

    `cohort`: the study's or another; None where nobody opens it. `answered`: whether recorded answers have to be there,
    and not only to be fit for use where they are: questions are written before somebody answers them elsewhere.
    """
    patients: list[Lack] = []
    if cohort is not None:
        patients += _look(
            study.place("cohort") if cohort == study.cohort else "--cohort", _scans("cohort", study), cohort
        )
    awaited = set() if answered else _places_of_answers(study)
    models = [one for one in _lacking_models(study) if not (one.absent and one.place in awaited)]
    return [*patients, *_lacking_windows(study), *_lacking_split(study), *models, *_lacking_variants(study)]


def _scans(key: str, study: Study) -> Kind:
    """Patients' scans; where they come from is known of gliomas alone."""
    return KINDS[key] if study.problem == GLIOMA else replace(KINDS[key], source=OTHER_COHORT)


def _places_of_answers(study: Study) -> set[str]:
    """Where entries name answers that were given elsewhere."""
    return {study.place("models", number, key) for number in range(len(study.models)) for key in EXTERNAL}


def _lacking_windows(study: Study) -> Iterator[Lack]:
    if (folder := study.grid.windows) is None:
        return
    place = study.place("grid", "windows")
    found = list(_look(place, KINDS["grid.windows"], folder))
    yield from found
    if not found:
        try:
            windows_digest(folder)
        except ReplayError as error:
            yield Lack(place, str(error), absent=False)


def _lacking_split(study: Study) -> Iterator[Lack]:
    if (file := study.split.file) is not None:
        place = study.place("split", "file")
        found = list(_look(place, KINDS["split.file"], file))
        yield from found
        if not found and not _can_be_a_split(file):
            yield Lack(place, f"{file}: neither JSON nor NPZ, whatever its name says", absent=False)
    for number, path in enumerate(study.split.exclude):
        yield from _look(study.place("split", "exclude", number), _scans("split.exclude", study), path)


def _can_be_a_split(file: Path) -> bool:
    if file.suffix == ".npz":
        return is_zipfile(file)
    if file.suffix != ".json":
        return True
    try:
        json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def _lacking_models(study: Study) -> Iterator[Lack]:
    for number, config in enumerate(study.models):
        yield from _of_model(study, number, config)


def _lacking_variants(study: Study) -> Iterator[Lack]:
    """Other prompts that are not there or cannot be used, and other views that do not fit."""
    for variant in variants_of(study):
        try:
            for config in varied_models(study)[0]:
                entry = variant_entry(config, variant)
                entry.check(study)
                dict(entry.prompts_of(study.asked_region))
        except (PromptError, ValueError) as error:
            yield Lack(study.place("sensitivity"), str(error), absent=False)


def _of_model(study: Study, number: int, config: ModelConfig) -> Iterator[Lack]:
    named: dict[str, Path] = {key: path for key in PATH_KEYS if (path := getattr(config, key, None)) is not None}
    for key in ("checkpoint", "adapter"):
        source = getattr(config, key, None)
        if source is not None and is_folder_name(source):
            named[key] = Path(source).expanduser()
    for key, path in named.items():
        place = study.place("models", number, key)
        lacks = list(_look(place, KINDS[key], path))
        yield from lacks
        if not lacks and (fault := _fault(study, config, key, path)):
            yield Lack(place, fault, absent=False)


def _fault(study: Study, config: ModelConfig, key: str, path: Path) -> str | None:
    """Why what lies there cannot be used; None where it can, as far as a look tells."""
    trained = {"weights": path.rglob, "start": path.glob}
    try:
        if key == "prompts":
            dict(config.prompts_of(study.asked_region))
        elif key == "checkpoint":
            assert config.checkpoint_use is not None
            return checkpoint_fault(path, config.checkpoint_use)
        elif key == "adapter":
            return adapter_fault(path)
        elif key in EXTERNAL:
            config.read_external()
        elif key in trained:
            found = sorted(trained[key](DESCRIPTION))
            if not found:
                return f"{path} holds no trained network (no {DESCRIPTION}): {KINDS[key].source}"
            folders = [one.parent for one in found]
            faults = (another_problem(one, study.problem) or another_region(one, study.asked_region) for one in folders)
            return next(filter(None, faults), None)
    except (PromptError, ReplayError, ModelError) as error:
        return str(error)
    return None


def check_external_files(study: Replication) -> tuple[Replication, list[str]]:
    """The replication without the optional entries that are not there, and sentences about these.

    Raises StudyError for the others that are not there, and for all that cannot be used.
    """
    kept, refused, said = [], list[Lack](), []
    for number, config in enumerate(study.replay):
        lacks = list(_look(study.place("replay", number, "answers"), KINDS["answers"], config.answers))
        if config.optional and any(lack.absent for lack in lacks):
            said.append(f"{config.name} is left out: it is optional, and {config.answers} is not there.")
        else:
            kept.append(config)
            refused += lacks
    refuse(refused)
    if not kept:
        raise StudyError(
            f"{study.place('replay')}: no answers are there, and all are optional: {KINDS['answers'].source}"
        )
    return study.model_copy(update={"replay": tuple(kept)}), said


def _look(place: str, kind: Kind, path: Path) -> Iterator[Lack]:
    lack = partial(Lack, place)
    if variable := unset(path):
        option = ", or give --replication FOLDER" if variable == REPLICATION else ""
        yield lack(f"{path} ({kind.what}): set the environment variable {variable}{option}; {kind.source}", absent=True)
        return
    path = path if path.exists() or "#" not in path.name else path.with_name(path.name.rpartition("#")[0])
    try:
        there, is_file, is_folder = path.exists(), path.is_file(), path.is_dir()
    except OSError as error:
        yield lack(f"{path} ({kind.what}): {error.strerror}", absent=False)
        return
    if not there:
        yield lack(f"{path} ({kind.what}) is not there: {kind.source}", absent=True)
    elif not (is_file or is_folder):
        yield lack(f"{path} ({kind.what}) is a pipe or a device", absent=False)
    elif kind.is_file is not None and kind.is_file != is_file:
        expected, found = ("a file", "a folder") if kind.is_file else ("a folder", "a file")
        yield lack(f"{path} ({kind.what}) is {found}; expected {expected}", absent=False)
    elif not os.access(path, os.R_OK):
        yield lack(f"{path} ({kind.what}) may not be read by this user", absent=False)
