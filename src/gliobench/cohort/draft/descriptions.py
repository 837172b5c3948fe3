"""A draft from `dataset.json`: channels are the images, labels the regions."""

import re
from pathlib import Path

from gliobench.cohort.draft.draft import Draft, drafted, name_of
from gliobench.cohort.layouts.dataset_json import DESCRIPTION, image_name, names_of, read_description, regions_of
from gliobench.cohort.subject import CohortError


def draft_description(root: Path) -> Draft:
    """A draft of a Decathlon or nnU-Net raw folder. Raises CohortError."""
    path = root / DESCRIPTION
    description = read_description(path)
    key = "channel_names" if "channel_names" in description else "modality"
    channels = names_of(path, description, key)
    regions = regions_of(path, description)
    if not channels or not regions:
        raise CohortError(f"{path}: expected {key} and labels with names, found {sorted(description)}")
    problem = drafted(
        path,
        name=name_of(root),
        images={image_name(name).lower(): {"words": name} for _, name in sorted(channels.items())},
        regions={region_name(name): labels for name, labels in regions.items()},
        target=next(iter(regions)) if len(regions) == 1 else "lesion",
    )
    return Draft(root, problem)


def region_name(name: str) -> str:
    """A label's name as regions of problems may be called."""
    plain = re.sub(r"[^A-Za-z0-9 _-]+", "-", name).strip(" -_")[:40]
    return plain if plain[:1].isalpha() else f"region-{plain}"
