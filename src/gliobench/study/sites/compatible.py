"""Whether the exports of several sites are of one study, and what differs between them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gliobench.study.sites.package import Export, MergeError
from gliobench.study.stages.description import ModelDescription, StudyDescription

# What decides the questions and the figures, each with what to do where it differs.
ASKED = {
    "problem": "give all sites the same `problem:`",
    "region": "give all sites the same `region:`",
    "tasks": "give all sites the same `tasks:`",
    "grid": "give all sites the same `grid:`",
    "slices": "give all sites the same `slices:`",
    "arithmetic": "score all runs with one version of gliobench and of its plugins, and export them again",
}
SHOWN = 60  # characters of a value, in a message


def check_together(exports: Mapping[str, Export]) -> None:
    """Raise MergeError where sites were asked something else, count otherwise, or name two models alike."""
    (first, one), *others = exports.items()
    faults = [
        fault
        for name, other in others
        for fault in (*_asked(first, one.study, name, other.study), *_models(first, one.study, name, other.study))
    ]
    if not common_models(exports):
        faults.append("no model is in all of them")
    if faults:
        raise MergeError("these exports are not of one study:\n" + "\n".join(f"  {fault}" for fault in faults))


def common_models(exports: Mapping[str, Export]) -> list[ModelDescription]:
    """The models of all sites, as the first describes them."""
    first, *others = (export.study for export in exports.values())
    return [model for model in first.models if all(model.name in _names(study) for study in others)]


def left_out_models(exports: Mapping[str, Export]) -> dict[str, list[str]]:
    """The models that not all sites have, each with the sites that have it."""
    common, found = {model.name for model in common_models(exports)}, dict[str, list[str]]()
    for site, export in exports.items():
        for name in _names(export.study) - common:
            found.setdefault(name, []).append(site)
    return dict(sorted(found.items()))


def _names(study: StudyDescription) -> set[str]:
    return {model.name for model in study.models}


def _asked(name: str, one: StudyDescription, other_name: str, other: StudyDescription) -> Iterator[str]:
    sides = one.model_dump(mode="json"), other.model_dump(mode="json")
    for key, way in ASKED.items():
        for where, a, b in differences(sides[0][key], sides[1][key], key):
            what = "" if key == "arithmetic" else f" ({name} {_short(a)}, {other_name} {_short(b)})"
            yield f"{where} of {name} and {other_name} differ{what}: {way}"


def _models(name: str, one: StudyDescription, other_name: str, other: StudyDescription) -> Iterator[str]:
    theirs = {model.name: model for model in other.models}
    for model in one.models:
        if model.name in theirs:
            sides = model.model_dump(mode="json"), theirs[model.name].model_dump(mode="json")
            for where, a, b in differences(*sides, model.name):
                yield (
                    f"{where} of {name} and {other_name} differ ({name} {_short(a)}, {other_name} {_short(b)}): give "
                    "both models one entry, or names of their own"
                )


def differences(a: Any, b: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two values of plain JSON differ, and how: the keys as `where.key`."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            yield from differences(a.get(key), b.get(key), f"{where}.{key}")
    elif a != b:
        yield where, a, b


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def split_notes(exports: Mapping[str, Export]) -> Sequence[str]:
    """Sentences on what may differ between sites and does."""
    notes = []
    for key, words in (("split", "how patients were split"), ("gliobench", "the version of gliobench")):
        found = {site: export.study.model_dump(mode="json")[key] for site, export in exports.items()}
        if len({str(value) for value in found.values()}) > 1:
            notes.append(f"Sites differ in {words}: {'; '.join(f'{site} {value}' for site, value in found.items())}.")
    return notes
