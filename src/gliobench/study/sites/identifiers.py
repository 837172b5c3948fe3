"""Whether texts hold what identifies a patient or a place: the last check of an export, on all that it says."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

FEWEST = 4  # characters of an id that can be searched for: shorter ones are parts of other words and numbers
PATH = re.compile(r"""(?:^|[\s"'(=:,])(?:~?/[\w.-]+/[\w./-]+|[A-Za-z]:\\[^\s]+|\\\\[\w.-]+\\|\w+://\S+)""")
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
DATE = re.compile(rf"(?<!\d)(?:{_YEAR}([-/.]?){_MONTH}\1{_DAY}|{_DAY}([-/.]){_MONTH}\2{_YEAR})(?!\d)")


def strings(value: Any) -> Iterator[str]:
    """Every text in plain JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from strings(key)
            yield from strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from strings(one)


def unsearchable(ids: Collection[str]) -> list[str]:
    """The ids that are too short to be told from other words."""
    return sorted(id for id in ids if len(id) < FEWEST)


def identifying(texts: Iterable[str], ids: Collection[str], *, dates: bool = False) -> str | None:
    """What in texts identifies a patient or a place: one of `ids` as a whole word, in any case; a path or an address;
    with `dates` also a date. None where nothing does."""
    found = list(dict.fromkeys(texts))
    together = "\n".join(found).casefold()
    for id in ids:
        name = id.casefold()
        whole = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
        if len(id) >= FEWEST and name in together and re.search(whole, together):
            return f"the id {id}"
    for text in found:
        if path := PATH.search(text):
            return f"a path or an address ({path[0].strip()})"
        if dates and (date := DATE.search(text)):
            return f"a date ({date[0]})"
    return None
