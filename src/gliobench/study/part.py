"""What every part of a study file is made of, and how far its numbers go: what no study means is a slip of the pen."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from gliobench.grid.frame import Plane
from gliobench.tasks.coordinates import FAMILIES, Coordinates, Order, Scale
from gliobench.tasks.prompt import MOST_TOKENS
from gliobench.tasks.registry import TASKS
from gliobench.yaml_file import Location

T = TypeVar("T")

MOST_NAME = 100  # characters: a name goes into names of files, of which 255 bytes are the most
MOST_TEXT = 4096  # of a path, Linux takes no more
MOST_FILE_NAME_BYTES = 255


def _no_truth(value: Any) -> Any:
    """Python takes true for 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number, found true or false")
    return value


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return values


def _not_empty(path: Any) -> Any:
    """An empty text would be the folder of the study file."""
    if path == "":
        raise ValueError("expected a file or a folder, found an empty text")
    return path


def _can_be_a_path(path: T) -> T:
    if any(len(name.encode()) > MOST_FILE_NAME_BYTES for name in str(path).split("/")) or len(str(path)) > MOST_TEXT:
        raise ValueError(f"a name in it is longer than the {MOST_FILE_NAME_BYTES} bytes that a file's can have")
    if str(path).startswith("~") and str(path)[1:2] not in ("", "/"):
        raise ValueError("another person's home is not looked up: write the folder out")
    return path


def _is_a_folder_or_an_id(source: str) -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    if is_folder_name(source) or Path(source).is_dir():
        return source
    try:
        validate_repo_id(source)
    except HFValidationError as error:
        raise ValueError(f"neither a folder nor an id that the hub can have: {error}") from None
    return source


def is_folder_name(source: str) -> bool:
    """Whether a checkpoint is meant as a folder, rather than as an id on the hub (one or two names)."""
    path = Path(source)
    return path.is_absolute() or source.startswith((".", "~")) or len(path.parts) > 2


def _is_a_task(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"no task is named {name!r}; there are {', '.join(TASKS)}")
    return name


Whole = Annotated[int, BeforeValidator(_no_truth)]
Real = Annotated[float, BeforeValidator(_no_truth)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
SizeVoxels = Annotated[Whole, Field(ge=4, le=1024)]  # along an axis
Batch = Annotated[Whole, Field(ge=1, le=4096)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]  # what NumPy takes
Rate = Annotated[Real, Field(gt=0, le=10)]  # of learning
Temperature = Annotated[Real, Field(ge=0, le=100)]
Share = Annotated[Real, Field(gt=0, lt=1)]
Tokens = Annotated[Whole, Field(ge=1, le=MOST_TOKENS)]

TaskName = Annotated[str, AfterValidator(_is_a_task)]
ModalityName = Literal["flair", "t1", "t1ce", "t2"]
Tasks = Annotated[tuple[TaskName, ...], Field(min_length=1), AfterValidator(_once)]
Planes = Annotated[tuple[Plane, ...], Field(min_length=1), AfterValidator(_once)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=MOST_NAME)]
Names = Annotated[tuple[Name, ...], AfterValidator(_once)]
Text = Annotated[str, Field(min_length=1)]
Revision = Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$", max_length=200)]  # on the hub
Outside = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_can_be_a_path)]  # a file or a folder
# A folder, or an id on the hub.
Source = Annotated[Text, AfterValidator(_can_be_a_path), AfterValidator(_is_a_folder_or_an_id)]


class Part(BaseModel):
    """A part of a study file; an unknown key is an error, and so is a number that is none or has no end.

    `LATER`: keys that came later. Left at their default they are not written out, so that fingerprints of runs from
    before they existed stay as they were.
    """

    LATER: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=MOST_TEXT)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        keep = {key for key in fields if key not in self.LATER or getattr(self, key) != fields[key].default}
        return {key: value for key, value in written(self).items() if key in keep}


def check_by(key: str, choice: str, by: str | None) -> None:
    """Raise ValueError where a mask model is named without need, or needed and not named."""
    if (choice == "predicted") != (by is not None):
        raise ValueError(f"`by` names the model whose masks are looked at: give it with `{key}: predicted` only")


class CoordinatesPart(Part):
    """How a model counts; see `gliobench.tasks.coordinates.Coordinates`. A name alone is that of a family."""

    order: Order = "row-first"
    scale: Scale = "pixels"

    @model_validator(mode="before")
    @classmethod
    def _a_family(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in FAMILIES:
            raise ValueError(f"expected one of {', '.join(FAMILIES)}, or `order` and `scale`, found {value!r}")
        return asdict(FAMILIES[value])

    @field_validator("scale")
    @classmethod
    def _has_a_size(cls, scale: Scale) -> Scale:
        if not isinstance(scale, str) and min(scale) < 1:
            raise ValueError(f"rows and columns of the resized picture must be 1 px or more, found {scale}")
        return scale

    def to_coordinates(self) -> Coordinates:
        """The convention itself."""
        return Coordinates(self.order, self.scale)

    @property
    def as_asked(self) -> bool:
        """Whether it is what the prompts ask for."""
        return self.to_coordinates().as_asked


class WholeFile(Part):
    """All of a study file. It knows where its keys stand, so that what turns out later can be said with the line."""

    _path: Path = PrivateAttr(default=Path())
    _lines: Mapping[Location, int] = PrivateAttr(default_factory=dict)

    def read_from(self, path: Path, lines: Mapping[Location, int]) -> None:
        """Note which file this is, and the line of each of its keys."""
        self._path, self._lines = path, lines

    def place(self, *location: str | int) -> str:
        """`file:line: key` of a key, or of the entry that lacks it."""
        known = location
        while known and known not in self._lines:
            known = known[:-1]
        return f"{self._path}:{self._lines.get(known, 1)}: {'.'.join(map(str, location))}"
