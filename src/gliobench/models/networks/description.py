"""What a trained network's folder says of it: read by stages that do not load the network, so without torch."""

from pathlib import Path
from typing import Any

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.regions import WHOLE_KEY, Region
from gliobench.integrity import DamagedError, read_json
from gliobench.models.base.errors import ModelError
from gliobench.models.networks import NETWORKS
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK

WEIGHTS, DESCRIPTION = "network.safetensors", "network.json"
DIGEST = "weights"  # in the description: SHA-256 of the file of weights
NEEDED = ("network", "regions", "shape", "mirror", "window", "decisions", "trained_on")


def read_description(folder: Path) -> dict[str, Any]:
    """What `fit_network` wrote about a network."""
    try:
        content = read_json(folder / DESCRIPTION, *NEEDED)
    except FileNotFoundError as error:
        raise ModelError(f"{folder} holds no trained network ({DESCRIPTION} is missing): train it first") from error
    except DamagedError as error:
        raise ModelError(f"{error}: restore it from a copy, or train the network again") from error
    if content.get("network") not in NETWORKS:
        raise ModelError(f"{folder / DESCRIPTION}: no network is named {content.get('network')!r} here")
    return content


def another_region(folder: Path, region: Region) -> str | None:
    """Why a trained network cannot be used in a study of a region; None where it can. Raises ModelError for none."""
    found = read_description(folder)
    trained_on = found.get("asked_about", WHOLE_KEY)  # earlier versions had no other
    if NETWORKS[found["network"]].task != MASK.name or trained_on == region.key:
        return None
    return f"{folder} was trained on another region ({trained_on}) than this study asks about ({region.key})"


def another_problem(folder: Path, problem: Problem) -> str | None:
    """Why a trained network cannot be used for a problem's images or classes; None where it can. Raises ModelError for
    none."""
    found = read_description(folder)
    images, classes = tuple(found.get("images", GLIOMA.names)), tuple(found.get("classes", GLIOMA.classes))
    if images != problem.names:
        return f"{folder} was trained on the images {', '.join(images)}; the study has {', '.join(problem.names)}"
    if NETWORKS[found["network"]].task != GRADE.name:
        return None
    if classes != problem.classes:
        return f"{folder} was trained on the classes {', '.join(classes)}; the study has {', '.join(problem.classes)}"
    own = problem.classes[problem.positive_class]
    if len(classes) == 2 and (positive := found.get("positive", classes[-1])) != own:
        return f"{folder} was trained for the probability of {positive}; the study has {own} as `positive`"
    return None
