"""Paths that a study file names: taken from where the file lies, or from a folder that an environment variable names.

`${GLIOBENCH_REPLICATION}/grade/general-axial`: other variables than those of gliobench are not read, so that no message
shows a secret.
"""

import os
import re
from pathlib import Path

REPLICATION = "GLIOBENCH_REPLICATION"  # the folder of the reference study's raw answers
VARIABLE = re.compile(r"\$\{(GLIOBENCH_[A-Z0-9_]+)\}(?:/|$)")
_GRADE = "Classification-Task/LLM-All/Raw-LLM-Outputs"
_PLACE = "Segmentation-Task/LLM-All/Raw-LLM-Outputs"
# Our short names of the reference study's answers, and where they lie in its repository as it is public.
PUBLISHED = {
    "grade/general-axial": f"{_GRADE}/General-Raw/flair_image_test_set_axial_llm_run",
    "grade/general-coronal": f"{_GRADE}/General-Raw/flair_image_test_set_coronal_llm_run",
    "grade/general-sagittal": f"{_GRADE}/General-Raw/flair_image_test_set_sagittal_llm_run",
    "grade/finetuned-100-steps": f"{_GRADE}/100Steps-Finetune-Raw",
    "grade/finetuned-one-epoch": f"{_GRADE}/FullEpoch-Finetune-Raw",
    "centre/general": f"{_PLACE}/CenterPoint-General-Raw",
    "centre/finetuned": f"{_PLACE}/CenterPoint-Finetune-Raw",
    "box/general": f"{_PLACE}/BBox-General-Raw",
    "box/finetuned": f"{_PLACE}/BBox-Finetune-Raw",
    "polygon/general": f"{_PLACE}/Polygon-General-Raw",
    "polygon/finetuned": f"{_PLACE}/Polygon-Finetune-Raw",
}


def resolved(folder: Path, path: Path) -> Path:
    """Where a path of a study file in `folder` leads; as it stands where its variable is not set (`unset`)."""
    variable = VARIABLE.match(str(path))
    if variable is None:
        return folder / path.expanduser()
    if unset(path):
        return path
    root, name = Path(os.environ[variable[1]]).expanduser(), str(path)[variable.end() :]
    public = root / PUBLISHED.get(name, name)
    return public if variable[1] == REPLICATION and not (root / name).exists() and public.exists() else root / name


def unset(path: Path) -> str | None:
    """The variable that a path begins with, where it is not set."""
    variable = VARIABLE.match(str(path))
    return variable[1] if variable and not os.environ.get(variable[1]) else None
