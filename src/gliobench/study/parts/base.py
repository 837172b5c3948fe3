"""What every part of a study file is made of."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
)

from gliobench.ranges import Text, Whole, once
from gliobench.tasks.prompt import MOST_TOKENS
from gliobench.yaml_file import Location

T = TypeVar("T")

MOST_NAME = 100  # characters: a name goes into names of files, of which 255 bytes are the most
MOST_TEXT = 4096  # of a path, Linux takes no more
MOST_FILE_NAME_BYTES = 255


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


Tokens = Annotated[Whole, Field(ge=1, le=MOST_TOKENS)]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=MOST_NAME)]
Names = Annotated[tuple[Name, ...], AfterValidator(once)]
Revision = Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$", max_length=200)]  # on the hub
Outside = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_can_be_a_path)]  # a file or a folder
# A folder, or an id on the hub.
Source = Annotated[Text, AfterValidator(_can_be_a_path), AfterValidator(_is_a_folder_or_an_id)]


class Config(BaseModel):
    """A part of a study file; an unknown key is an error, and so is a number that is none or has no end.

    `LATER`: keys that came later, a class's own and its bases'. Left at their default they are not written out, so that
    fingerprints of runs from before they existed stay as they were.
    """

    LATER: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=MOST_TEXT)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        later = {key for base in type(self).__mro__ for key in getattr(base, "LATER", ())}
        keep = {key for key in fields if key not in later or getattr(self, key) != fields[key].default}
        return {key: value for key, value in written(self).items() if key in keep}


def departures(settings: type[Any], *, without: Collection[str] = ()) -> Any:
    """The part of a study file that says where settings, a dataclass, depart from what is the default there: its fields
    with their ranges, `without` some, each of which can be left out and is then None."""
    kinds = get_type_hints(settings, include_extras=True)
    keys: dict[str, Any] = {key: (kind | None, None) for key, kind in kinds.items() if key not in without}
    return create_model(settings.__name__, __base__=Config, **keys)


def written(settings: type[Any], *, without: Collection[str] = ()) -> Any:
    """The part of a study file that says settings, a dataclass: its fields with their ranges and defaults, `without`
    some."""
    kinds = get_type_hints(settings, include_extras=True)
    keys: dict[str, Any] = {one.name: (kinds[one.name], one.default) for one in fields(settings)}
    return create_model(settings.__name__, __base__=Config, **{key: keys[key] for key in keys if key not in without})


def check_by(key: str, choice: str, by: str | None) -> None:
    """Raise ValueError where a mask model is named without need, or needed and not named."""
    if (choice == "predicted") != (by is not None):
        raise ValueError(f"`by` names the model whose masks are looked at: give it with `{key}: predicted` only")


class WholeFile(Config):
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
