"""What a folder or table seems to hold: gliomas as BraTS has them, a described data set, a table, or any files."""

from pathlib import Path

from gliobench.cohort.draft.descriptions import draft_description
from gliobench.cohort.draft.draft import Draft
from gliobench.cohort.draft.folders import draft_folder
from gliobench.cohort.draft.tables import draft_table, names_volumes
from gliobench.cohort.layouts.dataset_json import is_described
from gliobench.cohort.layouts.table import ENDINGS
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import CohortError


def draft_of(root: Path, wanted: str | None = None) -> Draft:
    """A draft of a data set, from its names and descriptions, and a few voxels where a table does not name the mask.

    `wanted`: the column of a table that is the class. Raises CohortError where nothing is recognised.
    """
    if not root.exists():
        raise CohortError(f"{root}: no such folder or table")
    try:
        if wanted is None and _holds_gliomas(root):
            return Draft(root, GLIOMA)
        return _draft(root, wanted)
    except OSError as error:
        raise CohortError(f"{error.filename or root}: cannot be read: {error.strerror}") from error


def _holds_gliomas(root: Path) -> bool:
    try:
        return bool(find_cohort(root).subjects)
    except CohortError:
        return False


def _draft(root: Path, wanted: str | None) -> Draft:
    if root.is_file():
        if root.suffix.lower() not in ENDINGS:
            raise CohortError(f"{root}: expected a folder, or a table that ends in {' or '.join(ENDINGS)}")
        return draft_table(root, wanted)
    tables = [] if is_described(root) else _tables_of_images(root, wanted)
    if len(tables) > 1:
        raise CohortError(f"{root}: {', '.join(one.cohort.name for one in tables)} all name images: name the right one")
    if tables:
        return tables[0]
    if wanted is not None:
        raise CohortError(f"{root}: --class {wanted} is for a table, and no table here has a column of images")
    return draft_description(root) if is_described(root) else draft_folder(root)


def _tables_of_images(root: Path, wanted: str | None) -> list[Draft]:
    paths = sorted(path for path in root.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    return [draft_table(path, wanted) for path in paths if path.is_file() and names_volumes(path)]
