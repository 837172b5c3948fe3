"""NRRD (`.nrrd`, `.nhdr`) and MetaImage (`.mha`, `.mhd`), decoded by SimpleITK.

ITK's world is LPS+; ours is RAS+. What ITK would fill in where the header is silent (axis-aligned directions, an origin
at 0) is refused instead, for then the orientation is unknown.
"""

from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.align import Volume
from gliobench.cohort.formats.stored import Stored, VolumeError, finite, refuse_large

if TYPE_CHECKING:
    import SimpleITK

NRRD, META_IMAGE = (".nrrd", ".nhdr"), (".mha", ".mhd")
SUFFIXES = (*NRRD, *META_IMAGE)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
HEADER_BYTES = 2**16  # a text of some lines
INSIDE = ("local", "")  # MetaImage's word for voxels in the same file; NRRD has no field then
# Names of the fields in lower case without spaces; one of each group has to be there.
NRRD_NEEDS = (("space",), ("spacedirections",), ("spaceorigin",))
META_NEEDS = (("transformmatrix", "rotation", "orientation"), ("elementspacing",), ("offset", "position", "origin"))
NRRD_SPACES = ("right-anterior-superior", "ras", "left-anterior-superior", "las", "left-posterior-superior", "lps")
MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres", ""}
ONE_FILE = "expected the name of one file beside the header: save the volume again in one file"


def data_file(data: bytes) -> str | None:
    """The file with the voxels that a header names, None where they are in the header's own file.

    Raises VolumeError where it names several files or one in another folder.
    """
    fields = _fields(data)
    name = fields.get("datafile") or fields.get("elementdatafile") or ""
    if name.lower() in INSIDE:
        return None
    if name.lower().startswith("list") or "%" in name or set(name) & set("/\\"):
        raise VolumeError(f"the voxels are in {name!r}: {ONE_FILE}")
    return name


def decode_itk(stored: Stored) -> Volume:
    """Voxels (X, Y, Z) and affine (4, 4) in RAS+ millimetres of a NRRD or MetaImage file.

    Raises VolumeError: SimpleITK is not installed, a damaged file, no orientation, other units than millimetres, a
    vector or 4D image, too many voxels.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise VolumeError("needs SimpleITK: pip install 'gliobench[formats]'") from error
    _check_header(stored)
    with TemporaryDirectory(prefix="gliobench-") as folder:
        for name, data in stored.files.items():
            (Path(folder) / name).write_bytes(data)  # SimpleITK reads files only
        try:
            image = _read(Path(folder) / stored.path.name, SimpleITK)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].replace(f"{folder}/", "")
            raise VolumeError(f"a damaged or truncated file ({reason}): copy the file again") from error
    voxels = SimpleITK.GetArrayFromImage(image).T
    if voxels.dtype.kind not in "iuf":
        raise VolumeError(f"voxels of type {voxels.dtype}: expected one real number per voxel")
    return voxels, finite(LPS_TO_RAS @ _affine(image))


def _fields(data: bytes) -> dict[str, str]:
    """The fields of a text header, their names in lower case without spaces.

    NRRD's ends with an empty line, MetaImage's with the name of the data file.
    """
    fields: dict[str, str] = {}
    separator = ":" if data.startswith(b"NRRD") else "="
    for line in data[:HEADER_BYTES].decode("latin-1").split("\n"):
        name, _, value = line.rstrip("\r").partition(separator)
        name = name.lower().replace(" ", "")
        if separator == ":" and not line.strip():
            break
        if not value.startswith("="):  # `key:=value`, a note of NRRD's
            fields[name] = value.strip()
        if name == "elementdatafile":
            break
    return fields


def _check_header(stored: Stored) -> None:
    fields, is_nrrd = _fields(stored.data), stored.path.suffix.lower() in NRRD
    if is_nrrd != stored.data.startswith(b"NRRD"):
        raise VolumeError(f"not a {'NRRD' if is_nrrd else 'MetaImage'} file, whatever its name says")
    if not is_nrrd and (axes := fields.get("ndims", "")) != "3":  # ITK's reader writes past its memory beyond 10
        raise VolumeError(f"{axes or 'an unknown number of'} axes: expected a volume of 3")
    for names in NRRD_NEEDS if is_nrrd else META_NEEDS:
        if fields.keys().isdisjoint(names):
            raise VolumeError(
                f"the header has no {names[0]}, so the position or orientation is unknown: convert the scan again from "
                "its source"
            )
    if is_nrrd and fields["space"].lower() not in NRRD_SPACES:
        raise VolumeError(f"the space {fields['space']!r} has no anatomical directions: expected {NRRD_SPACES[-2]}")
    units = set(fields.get("spaceunits", fields.get("distanceunits", "")).lower().replace('"', " ").split())
    if units - MILLIMETRES:
        raise VolumeError(f"the header gives sizes in {', '.join(sorted(units))}: expected millimetres")


def _read(path: Path, sitk: "SimpleITK") -> "SimpleITK.Image":
    """The image, once its header promises one real volume. Raises VolumeError, and RuntimeError of a damaged file."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if path.suffix.lower() in NRRD else "MetaImageIO")
    reader.ReadImageInformation()
    shape = reader.GetSize()
    if (components := reader.GetNumberOfComponents()) > 1:
        raise VolumeError(f"{components} numbers per voxel (a vector or colour image): expected one")
    if len(shape) != 3:
        raise VolumeError(f"{len(shape)} axes {shape}: expected a volume of 3")
    refuse_large(prod(shape) * sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent())
    return reader.Execute()


def _affine(image: "SimpleITK.Image") -> NDArray[np.float64]:
    """Voxel index to LPS+: directions times spacing, and the origin."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine
