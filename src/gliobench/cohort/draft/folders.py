"""A draft from a folder of files with any names: one folder per patient, or `<id>_<image>.nii.gz` in one folder.

The files of a kind share the end of their names: such ends that all patients have are the images, and the one that is
called mask, seg or label is the mask.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from gliobench.cohort.draft.draft import Draft, Table, drafted, name_of, without_suffix
from gliobench.cohort.draft.masks import mask_named, masks_among, not_images
from gliobench.cohort.layouts.dataset_json import image_name
from gliobench.cohort.layouts.layout import subfolders, volumes_in
from gliobench.cohort.subject import CohortError

ONE_IMAGE = "image"  # of files that are named after the patient alone
CLASSES = "where classes are known, add a column class to cohort.csv, and call gliobench init with that table"

Files = Mapping[str, Mapping[str, Path]]  # by patient, by the end of the name


def draft_folder(root: Path) -> Draft:
    """A draft of a folder. Raises CohortError where the files have no ends in common."""
    patients = [folder for folder in subfolders(root) if volumes_in(folder)]
    files = _in_folders(patients) if patients else _flat(root)
    if len(files) < 2:
        raise CohortError(
            f"{root}: found {len(files)} patients; expected two or more, as a folder each or as files "
            "<id>_<image>.nii.gz whose names end alike; or a table, or a known layout (gliobench list layouts)"
        )
    counts = Counter(end for own in files.values() for end in own)
    mask, label_maps = masks_among({end: [own[end] for own in files.values() if end in own] for end in counts}, root)
    images = sorted(end for end, count in counts.items() if count == len(files) and end not in {mask, *label_maps})
    if not images:
        found = ", ".join(f"{end} ({count})" for end, count in counts.most_common(5))
        raise CohortError(
            f"{root}: none of the {len(files)} patients' files end alike in all of them; the most common ends are "
            f"{found}: rename files, or list them in a table with the columns id, one per image, and mask"
        )
    names = {end: image_name(end).lower() for end in images}
    problem = drafted(
        root,
        name=name_of(root),
        images={name: {"words": end} if end != name else None for end, name in names.items()},
    )
    rare = [end for end in counts if end not in {mask, *images, *label_maps}]
    common = [*([mask] if mask else []), *(end for end in rare if 2 * counts[end] >= len(files))]
    rows = [(id, *(str(own[end].resolve()) for end in images), *_mask_cell(own, mask)) for id, own in files.items()]
    return Draft(
        cohort=root,
        problem=problem,
        table=Table(("id", *problem.names, *(["mask"] if mask else [])), tuple(rows)),
        lacking={end: [id for id, own in files.items() if end not in own] for end in common},
        notes=(*not_images(label_maps), *_unused(rare), CLASSES),
    )


def _mask_cell(own: Mapping[str, Path], mask: str | None) -> list[str]:
    return [] if mask is None else [str(own[mask].resolve()) if mask in own else ""]


def _unused(rare: Sequence[str], most: int = 5) -> list[str]:
    """A note on images that not all patients have."""
    more = f" and {len(rare) - most} more" if len(rare) > most else ""
    return [f"not used, as not all patients have them: {', '.join(rare[:most])}{more}"] if rare else []


def _in_folders(folders: Sequence[Path]) -> Files:
    """The files of each folder by the ends of their names: what follows the folder's name, or the end that the most
    folders have in common."""
    stems = {folder: _by_stem(folder) for folder in folders}
    ends = {folder: [end for stem in own for end in _ends(_own_part(stem, folder))] for folder, own in stems.items()}
    shared = Counter(end for own in ends.values() for end in {*own})
    return {
        folder.name: {_most_shared(_own_part(stem, folder), shared): path for stem, path in own.items()}
        for folder, own in stems.items()
    }


def _own_part(stem: str, folder: Path) -> str:
    """A name in lower case, without the folder's name before it."""
    before = re.match(re.escape(folder.name.lower()) + r"([-_. ]+|$)", stem.lower())
    return stem.lower()[before.end() :] if before else stem.lower()


def _most_shared(part: str, shared: Mapping[str, int]) -> str:
    """The end of a name that the most folders have, the longest of these."""
    return max(_ends(part), key=lambda end: (shared[end], len(end)), default=ONE_IMAGE)


def _flat(root: Path) -> Files:
    """The files of one folder by patient and by the ends of their names.

    Ends belong together where they follow the same ids; of the ways to cut all names, the one that explains the most
    files, with the longest ends.
    """
    stems = _by_stem(root)
    masked = {stem for stem in stems if mask_named([stem], root)}
    ids_of: dict[str, set[str]] = defaultdict(set)
    for stem in stems.keys() - masked:
        for end in (*_ends(stem.lower()), ""):
            ids_of[end].add(_id_before(stem, end))
    families: dict[frozenset[str], list[str]] = defaultdict(list)
    for end, ids in ids_of.items():
        if len(ids - {""}) > 1 and "" not in ids:
            families[frozenset(ids)].append(end)
    if not families:
        return {}
    common = max(families, key=lambda ids: (len(ids) * len(families[ids]), max(map(len, families[ids]))))
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for stem, path in stems.items():
        id = max(
            (id for id in common if stem == id or re.match(re.escape(id) + r"[-_. ]", stem)), key=len, default=None
        )
        if id is not None:
            found[id][stem[len(id) :].lower().lstrip("_-. ") or ONE_IMAGE] = path
    return dict(sorted(found.items()))


def _by_stem(folder: Path) -> dict[str, Path]:
    """The volumes of a folder by their names without suffix."""
    found = {stem: paths[0] for stem, paths in volumes_in(folder).items()}
    written = {stem: without_suffix(path.name) for stem, path in found.items()}
    return {written[stem] if written[stem].lower() == stem else stem: path for stem, path in found.items()}


def _ends(stem: str) -> list[str]:
    """What follows each separator in a name, and the whole name; the longest first."""
    return [stem, *(stem[match.end() :] for match in re.finditer(r"[-_. ]+", stem) if match.end() < len(stem))]


def _id_before(stem: str, end: str) -> str:
    return stem[: len(stem) - len(end)].rstrip("_-. ") if end else stem
