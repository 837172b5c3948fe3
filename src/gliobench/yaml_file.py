"""Read a YAML file that may be wrong or malicious: one message with file and line, and bounded time and memory.

A subset of YAML 1.1: text, numbers, true and false, null, lists, keys and values, aliases and merge keys. No tags, no
dates (`2024-01-31` is text), numbers in decimal only.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gliobench.errors import GliobenchError

MOST_BYTES = 256 * 1024
MOST_NODES = 20_000  # with every alias expanded
MOST_DEPTH = 24
MOST_DIGITS = 18

Location = tuple[str | int, ...]


class YamlFileError(GliobenchError, ValueError):
    """A file that cannot be read as YAML; the message names the file and the line."""


@dataclass(frozen=True)
class YamlFile:
    """The content of the file, and the line (from 1) of every key and list item."""

    content: Any
    lines: dict[Location, int]


def read_yaml(path: Path) -> YamlFile:
    """Read a file. Raises YamlFileError, and FileNotFoundError where there is none."""
    return parse_yaml(path, read_text(path))


def read_text(path: Path) -> str:
    """The text of a file that a person writes by hand. Raises as `read_yaml` does."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
            found = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
            raise YamlFileError(f"{path}: is {found}; expected a file")
        if status.st_size > MOST_BYTES:
            raise YamlFileError(f"{path}: {status.st_size} bytes; expected at most {MOST_BYTES}")
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        if isinstance(error, YamlFileError):
            raise
        raise YamlFileError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _decoded(path, data)


def _decoded(path: Path, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YamlFileError(f"{path}:1: the text is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFileError(f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save it as UTF-8") from None
    if found := re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text):
        line = text.count("\n", 0, found.start()) + 1
        raise YamlFileError(f"{path}:{line}: the character {found[0]!r} is not allowed in a text file")
    return text


def parse_yaml(path: Path, text: str) -> YamlFile:
    """The parsed text; `path` is for the messages. Raises YamlFileError."""
    try:
        _check_size(text)
        loader = _Loader(text)
        root, lines = loader.get_single_node(), dict[Location, int]()
        if root is not None:
            _walk(root, (), lines)
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlFileError(f"{path}:{mark.line + 1 if mark else 1}: {said}") from None
    return YamlFile(content, lines)


class _Loader(yaml.SafeLoader):
    """Takes plain text for true and false, null, numbers and merge keys only."""


_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag in (_TAG + "bool", _TAG + "null", _TAG + "merge")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"
        r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)


@dataclass
class _Open:
    """A list or mapping that is still open."""

    anchor: str | None
    nodes: int = 1


def _check_size(text: str) -> None:
    """Raise yaml.MarkedYAMLError for what is too deep or too large, or contains itself, before anything is built."""
    opened: list[_Open] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_Loader):
        nodes = 0
        if (tag := getattr(event, "tag", None)) is not None:
            raise _fault(f"the tag {tag!r} is not allowed; expected text, numbers, lists and keys", event)
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Open(event.anchor))
            if len(opened) > MOST_DEPTH:
                raise _fault(f"more than {MOST_DEPTH} nested lists or keys", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = opened.pop()
            nodes = ended.nodes
            if ended.anchor:
                sizes[ended.anchor] = nodes
        elif isinstance(event, yaml.ScalarEvent):
            nodes = 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            if any(one.anchor == event.anchor for one in opened):
                raise _fault(f"the alias *{event.anchor} refers to itself", event)
            nodes = sizes.get(event.anchor or "", 0)
        if opened:
            opened[-1].nodes += nodes
            if sum(one.nodes for one in opened) > MOST_NODES:
                raise _fault(f"more than {MOST_NODES} keys and values, with every alias expanded", event)


def _walk(node: yaml.Node, location: Location, lines: dict[Location, int]) -> None:
    """Record the lines of keys and items; raise yaml.MarkedYAMLError for what YAML allows and a study file does not."""
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*location, position)] = item.start_mark.line + 1
            _walk(item, (*location, position), lines)
    elif isinstance(node, yaml.MappingNode):
        own = set()
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TAG + "str":
                raise _fault("a key must be text; put it in quotes", key)
            here = (*location, key.value)
            if key.value in own:
                first = f"first in line {lines[here]}"
                raise _fault(f"the key {key.value!r} is duplicated, {first}", key)
            own.add(key.value)
            lines[here] = key.start_mark.line + 1
            _check_scalar(key)
            _walk(value, here, lines)
        for merged in _merged(node):
            inherited: dict[Location, int] = {}
            _walk(merged, location, inherited)
            lines.update({place: line for place, line in inherited.items() if place not in lines})


def _merged(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    for key, value in node.value:
        if key.tag == _TAG + "merge":
            yield from value.value if isinstance(value, yaml.SequenceNode) else [value]


def _check_scalar(node: yaml.ScalarNode) -> None:
    if found := re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", node.value):
        raise _fault(f"the character {found[0]!r} is not allowed in a value", node)
    if node.tag == _TAG + "int" and len(node.value) > MOST_DIGITS:
        raise _fault(f"a number of {len(node.value)} digits; expected at most {MOST_DIGITS}", node)


def _fault(problem: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)
