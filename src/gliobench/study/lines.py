"""Where each key of a YAML text stands, so that a mistake can be shown with its line."""

import yaml

Location = tuple[str | int, ...]


def key_lines(text: str) -> dict[Location, int]:
    """Line number (from 1) of every key and list item; keys given twice raise yaml.YAMLError."""
    lines: dict[Location, int] = {}
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        _walk(root, (), lines)
    return lines


def _walk(node: yaml.Node, location: Location, lines: dict[Location, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*location, str(key.value))
            if here in lines:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key {key.value!r} stands here a second time")
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*location, position)] = item.start_mark.line + 1
            _walk(item, (*location, position), lines)
