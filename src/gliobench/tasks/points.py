"""Finding points in free text: bracketed pairs, named rows and columns, and the lists they form.

Every pattern looks at a bounded number of characters around a match, so the time is linear in the text.
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

Place = tuple[float, float]

DECORATION = r"[\s'\"`*_$\\]"  # characters without meaning between brackets and numbers
OPEN, CLOSE = r"[(\[{<]", r"[)\]}>]"
NUMBER = r"[-+−]?(?:\d++(?:\.\d*+)?(?:[eE][-+]?\d++)?|nan\b|inf(?:inity)?\b)"
BETWEEN = rf"{DECORATION}{{0,4}}[,;\s]{DECORATION}{{0,8}}"
PAIR = rf"{OPEN}{DECORATION}{{0,6}}({NUMBER}){BETWEEN}({NUMBER}){DECORATION}{{0,6}}{CLOSE}"
NAMED = (
    r"\b(?:(?P<axis>row|col(?:umn)?)(?:\s?\d{1,2}(?=\s?[:=]))?(?:[\"'*]{0,3}\s{0,2}(?:[:=]|\bis\b|\bof\b)|(?=\s))"
    r"|(?P<letter>[rcxy])[\"']?\s{0,2}[:=])"
    rf"[\s\"'*]{{0,4}}(?P<number>{NUMBER})(?!\s?[:=])"
)
QUAD = (
    rf"{OPEN}{DECORATION}{{0,6}}({NUMBER}){BETWEEN}({NUMBER}){BETWEEN}({NUMBER}){BETWEEN}({NUMBER})"
    rf"{DECORATION}{{0,6}}{CLOSE}"
)
# Top, left, bottom and right: by name, and as corners counted from 1 or from 0 (`"x1": 30, "y1": 12, …`).
EDGES = (
    r"row[\s_-]?(?:min|start)|min(?:imum)?[\s_-]?row|[ry]_?min|top",
    r"col(?:umn)?[\s_-]?(?:min|start)|min(?:imum)?[\s_-]?col(?:umn)?|[cx]_?min|left",
    r"row[\s_-]?(?:max|end)|max(?:imum)?[\s_-]?row|[ry]_?max|bottom",
    r"col(?:umn)?[\s_-]?(?:max|end)|max(?:imum)?[\s_-]?col(?:umn)?|[cx]_?max|right",
)
CORNERS_FROM_1 = (r"[ry]_?1", r"[cx]_?1", r"[ry]_?2", r"[cx]_?2")
CORNERS_FROM_0 = (r"[ry]_?0", r"[cx]_?0", r"[ry]_?1", r"[cx]_?1")
RANGE = rf"s?[\s\"'*:=]{{0,4}}(?:from\s)?({NUMBER})\s{{0,2}}(?:to|through|-|–)\s{{0,2}}({NUMBER})"
# Words allowed between two points of one list.
LINKS = r"and|the|is|at|located|point|vertex|corner|top|bottom|upper|lower|left|right|row\d*|col\d*|p|v"
LINK = re.compile(rf"(?:[^A-Za-z]|\b(?:{LINKS})\b)*", re.IGNORECASE)
SIZE = re.compile(r"(?:size|shape|kernel|dimensions?|resolution)\W{0,4}(?:of|is|are|=)?\W{0,4}$", re.IGNORECASE)
ORIGIN = re.compile(r"\W{0,4}(?:is |being |at |as |in )*(?:the )?(?:top|upper)[- ]?left", re.IGNORECASE)
TOP_LEFT = re.compile(r"(?:top|upper)[- ]?left", re.IGNORECASE)
BOTTOM_RIGHT = re.compile(r"(?:bottom|lower)[- ]?right", re.IGNORECASE)
CLAIM = re.compile(r"answer|final|output|result|therefore|prediction|cent(?:er|re)|bounding box|polygon", re.IGNORECASE)
LIST_CHARACTERS = "0123456789.,;+-−–'\"`*_$\\ \t\r\n()[]{}<>"
LINK_LENGTH, CLAIM_LENGTH = 60, 50


@dataclass(frozen=True)
class Found:
    """Points that belong together in a text.

    `claimed`: the text calls them its answer. `finished`: the list is complete. `begun`: the numbers of an incomplete
    point at the end of the text. `named`: every number is called a row or a column.
    """

    points: tuple[Place, ...]
    claimed: bool
    finished: bool
    begun: tuple[float, ...] = ()
    named: bool = False

    @property
    def turned(self) -> "Found":
        """The same with the two numbers of each point swapped."""
        return replace(self, points=tuple((row, column) for column, row in self.points))

    def repeats(self, earlier: "Found") -> bool:
        """True where these points are the first ones of `earlier`; the very last number may be truncated."""
        ours = [number for place in self.points for number in place] + list(self.begun[:-1])
        return ours == [number for place in earlier.points for number in place][: len(ours)]


@dataclass(frozen=True)
class PointList:
    """A list of points in a text.

    `bracketed`: the whole list is in brackets. `opposite_corners`: it is two points, called top left and bottom right.
    `unfinished`: the text ends before the list does. `claimed`: the text calls it its answer. `named`: its rows and
    columns are named.
    """

    points: tuple[Place, ...]
    bracketed: bool
    opposite_corners: bool
    unfinished: bool
    claimed: bool
    begun: tuple[float, ...]
    named: bool

    @property
    def without_closing_point(self) -> tuple[Place, ...]:
        """The points, without a last one that repeats the first."""
        closes = len(self.points) > 3 and self.points[0] == self.points[-1]
        return self.points[:-1] if closes else self.points

    def found(self, points: tuple[Place, ...], *, finished: bool) -> Found:
        return Found(points, self.claimed, finished, self.begun, self.named)


@dataclass(frozen=True)
class _Atom:
    """One point and its position in the text; `named` where row and column are named."""

    place: Place
    start: int
    end: int
    named: bool


def find_lists(text: str, cut_off: bool) -> list[PointList]:
    """The lists of points of a text, in order; a single point is a list of one.

    Points belong together where only punctuation, numbering and words such as `and` are between them. A list with an
    ellipsis is an example, and skipped.
    """
    groups: list[list[_Atom]] = []
    nested = False  # the points of this list have brackets of their own: ((1, 2)), ((3, 4))
    for atom in sorted(_pairs(text) + _named_pairs(text), key=lambda atom: atom.start):
        last = groups[-1][-1] if groups else None
        if last and atom.start < last.end:
            continue
        gap = text[last.end : atom.start][: LINK_LENGTH + 1] if last else ""
        brackets_between = _brackets_between(gap)
        linked = last and last.named == atom.named and len(gap) <= LINK_LENGTH and LINK.fullmatch(gap)
        if linked and (len(groups[-1]) == 1 or nested or not brackets_between):
            nested = brackets_between if len(groups[-1]) == 1 else nested
            groups[-1].append(atom)
        else:
            groups.append([atom])
            nested = False
    return [_list(text, group, cut_off) for group in groups if not _has_ellipsis(text, group)]


def find_quads(text: str, cut_off: bool) -> list[Found]:
    """Four numbers in brackets, or four alone, as two opposite corners: [r0, c0, r1, c1]."""
    found = [
        Found((_place(m[1], m[2]), _place(m[3], m[4])), _claimed(text, m.start()), True)
        for m in re.finditer(QUAD, text, re.IGNORECASE)
    ]
    numbers = _bare_numbers(text)
    if not found and len(numbers) == 4:
        found.append(Found((_place(*numbers[:2]), _place(*numbers[2:])), True, not cut_off))
    return found


def find_bare_pair(text: str, cut_off: bool) -> list[Found]:
    """Two numbers alone, or at the end of a text: `35, 51`, `The centre is at 35, 51.`"""
    numbers = _bare_numbers(text)
    return [Found((_place(*numbers),), True, not cut_off)] if len(numbers) == 2 else []


def find_edges(text: str) -> list[Found]:
    """The box of edges given by name (`row_min: 12, …`, `top = 12, …`), or of `rows 12 to 58, columns 30 to 71`."""
    for edges in (EDGES, CORNERS_FROM_1, CORNERS_FROM_0):
        named = [
            re.findall(rf"\b(?:{names})[\"'*]{{0,3}}\s{{0,3}}(?:[:=]|\bis\b)[\s\"'*]{{0,4}}({NUMBER})", text, re.I)
            for names in edges
        ]
        if all(len(set(values)) == 1 for values in named):
            top, left, bottom, right = (values[0] for values in named)
            return [Found((_place(top, left), _place(bottom, right)), True, True, named=True)]
    rows = re.findall(rf"\brow{RANGE}", text, re.IGNORECASE)
    columns = re.findall(rf"\bcol(?:umn)?{RANGE}", text, re.IGNORECASE)
    if len(rows) == len(columns) == 1:
        return [Found((_place(rows[0][0], columns[0][0]), _place(rows[0][1], columns[0][1])), True, True, named=True)]
    return []


def _pairs(text: str) -> list[_Atom]:
    """Bracketed pairs, except an image's size and the statement that (0, 0) is at the top left."""
    atoms = []
    for match in re.finditer(PAIR, text, re.IGNORECASE):
        place = _place(match[1], match[2])
        is_size = SIZE.search(text[max(match.start() - 30, 0) : match.start()])
        is_origin = place == (0, 0) and ORIGIN.match(text[match.end() : match.end() + 40])
        if not is_size and not is_origin:
            atoms.append(_Atom(place, match.start(), match.end(), named=False))
    return atoms


def _named_pairs(text: str) -> list[_Atom]:
    """A row and a column (or y and x) given by name, directly after each other, in either order."""
    atoms: list[_Atom] = []
    last: re.Match[str] | None = None
    for match in re.finditer(NAMED, text, re.IGNORECASE):
        if last is not None and _is_row(last) != _is_row(match) and _near(text[last.end() : match.start()]):
            row, column = (last, match) if _is_row(last) else (match, last)
            start, end = _own_brackets(text, last.start(), match.end())
            atoms.append(_Atom(_place(row["number"], column["number"]), start, end, named=True))
            last = None
        else:
            last = match
    return atoms


def _own_brackets(text: str, start: int, end: int) -> tuple[int, int]:
    """The span of a point with the brackets directly around it, if any."""
    before = re.search(rf"{OPEN}{DECORATION}{{0,4}}$", text[max(start - 5, 0) : start])
    after = re.match(rf"{DECORATION}{{0,4}}{CLOSE}", text[end : end + 5])
    return (start - len(before[0]), end + len(after[0])) if before and after else (start, end)


def _has_ellipsis(text: str, group: list[_Atom]) -> bool:
    gaps = (text[one.end : two.start] for one, two in pairwise(group))
    return any("..." in gap or "…" in gap for gap in gaps)


def _is_row(match: re.Match[str]) -> bool:
    return (match["axis"] or match["letter"])[0].lower() in "ry"


def _near(gap: str) -> bool:
    return len(gap) <= 12 and re.fullmatch(r"(?:[^A-Za-z]|and|the)*", gap) is not None


def _list(text: str, group: list[_Atom], cut_off: bool) -> PointList:
    start, end = group[0].start, group[-1].end
    bracketed = _opened(text, start) and _closes(text, end)
    if len(group) > 1 and _brackets_between(text[group[0].end : group[1].start]):  # the nearest are the points' own
        start, end = start - 1, end + (_closing(text, end) or 0)
    opened, closed = _opened(text, start), _closes(text, end)
    gap = text[group[0].end : group[1].start] if len(group) == 2 else ""
    after = text[end:] if len(text) - end <= LINK_LENGTH and LINK.fullmatch(text[end:]) else None
    return PointList(
        points=tuple(atom.place for atom in group),
        bracketed=bracketed and not re.search("[A-Za-z]", gap),
        opposite_corners=bool(TOP_LEFT.search(text[max(start - 40, 0) : start]) and BOTTOM_RIGHT.search(gap)),
        unfinished=after is not None and not closed and _breaks_off(after, opened or cut_off),
        claimed=_claimed(text, start),
        begun=tuple(map(float, re.findall(r"\d+", after or ""))),
        named=group[0].named,
    )


def _brackets_between(gap: str) -> bool:
    return re.search(rf"{CLOSE}[^A-Za-z]*{OPEN}", gap) is not None


def _opened(text: str, start: int) -> bool:
    return re.search(rf"{OPEN}{DECORATION}{{0,6}}$", text[max(start - 7, 0) : start]) is not None


def _closes(text: str, end: int) -> bool:
    return _closing(text, end) is not None


def _closing(text: str, end: int) -> int | None:
    """How many characters after `end` the next closing bracket ends, where it comes next."""
    match = re.match(rf"(?:{DECORATION}|[,;.]){{0,6}}{CLOSE}", text[end : end + 7])
    return match.end() if match else None


def _breaks_off(after: str, needs_bracket: bool) -> bool:
    """True where the end of the text begins another point, or announces one, or lacks the list's closing bracket."""
    promises = re.search(rf"\d|{OPEN}", after) or after.rstrip("'\"`*_ \t\r\n").endswith((",", ";"))
    return bool(promises) or (needs_bracket and "." not in after)


def _bare_numbers(text: str) -> tuple[str, ...]:
    """Numbers separated by commas, semicolons or spaces: all numbers of the text, on a line of their own, or all that
    follows `:`, `is` or `at` on its last line."""
    lines = text.strip().splitlines()
    with_numbers = [line for line in lines if re.search(r"\d", line)]
    alone = len(with_numbers) == 1
    last = (with_numbers if alone else lines[-1:])[:1]
    if not last or len(last[0]) > 200:
        return ()
    line = last[0].rstrip("'\"`*_$\\ .")
    lead = r".*(?:[:=]|\bis|\bat|\bare)[\s*$'\"`>]*" if re.search("[A-Za-z]", line) else r"[\s*$'\"`>]*"
    if not alone and lead[0] != ".":
        return ()
    match = re.fullmatch(rf"{lead}({NUMBER}(?:\s{{0,2}}[,;\s]\s{{0,2}}{NUMBER}){{1,3}})", line, re.IGNORECASE)
    return tuple(re.findall(NUMBER, match[1], re.IGNORECASE)) if match else ()


def _claimed(text: str, start: int) -> bool:
    return CLAIM.search(text[max(start - CLAIM_LENGTH, 0) : start]) is not None


def _place(row: str, column: str) -> Place:
    return float(row.replace("−", "-")), float(column.replace("−", "-"))
