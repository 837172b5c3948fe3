"""What all parsers share: the order of checks on a text, and from found points to a typed answer."""

import math
import re
from collections.abc import Callable, Sequence
from functools import cache

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing, Refused, Truncated
from gliobench.tasks.coordinates import AS_ASKED, Coordinates, without_marks
from gliobench.tasks.geometry import Value
from gliobench.tasks.points import LIST_CHARACTERS, Found, Place
from gliobench.tasks.thoughts import without_thoughts

READING_VERSION = "4"  # increased with every change of how a text is parsed
MAX_CHARACTERS = 200_000  # longer than any answer in a task's format, and parsed in well under a second
UNSEEN = dict.fromkeys((0x200B, 0x200E, 0x2060, 0xFEFF))  # zero-width characters
LAST_NUMBER = re.compile(r"[-+−]?\d[\d.]*$")
_NAMED = (  # what an answer is called before it
    r"(?:final )?(?:answer|output|result|response|coordinates|antwort|réponse|respuesta|risposta|resposta|ответ|答案)"
    r"|(?:bounding )?box|bbox(?:_2d)?|cent(?:re|er)(?: point)?|point(?:_2d)?|polygon|mask"
)
_LABEL = rf"(?:[\"'*]{{0,3}}(?:{_NAMED})[\"'*]{{0,3}}\s{{0,3}}[:=：]\W{{0,6}})?"
_NOBODY = r"none|nothing|n/a|null|empty|keine?r?|aucune?|ningun[oa]|nessun[oa]|nenhuma?|нет|无|没有"
_SEEING = r"(?:visible |evident |obvious |apparent |detectable )?(?:brain )?"
_SEEN = r"(?:visible|present|seen|detected|found|identified|observed|evident|apparent)"
_PLACE = r"(?: (?:here|anywhere|(?:in|on|within) (?:this|the)(?: \w{1,12}){0,2} (?:slice|image|scan|picture)))?"
_WHERE = r"there (?:is|are)|I (?:can )?(?:see|detect|find)|(?:the|this) (?:slice|image|scan) (?:shows|contains|has)"
EMPTY_LIST = re.compile(rf"[^\w\[(]*{_LABEL}\W{{0,8}}(?:\[\s*\]|\(\s*\))\W*", re.IGNORECASE)
# An order that a text itself states, and markers of models with their own coordinates: 0 to 1000, or the pixels of the
# image after resizing (Qwen-VL, InternVL, PaliGemma, Gemini), or hundredths (Molmo).
XY_ORDER = re.compile(
    r"[(\[]\s{0,3}(?:x(?:_?(?:0|1|min))?\s{0,3},\s{0,3}y(?:_?(?:0|1|min))?|col(?:umn)?(?:_?(?:0|1|min))?\s{0,3},\s{0,3}row)\b",
    re.IGNORECASE,
)
ROW_ORDER = re.compile(
    r"[(\[]\s{0,3}(?:y(?:_?(?:0|1|min))?\s{0,3},\s{0,3}x(?:_?(?:0|1|min))?|row(?:_?(?:0|1|min))?\s{0,3},\s{0,3}col)",
    re.IGNORECASE,
)
OWN_FRAME = re.compile(r"\b(?:bbox|box|point)_2d\b|<\|box_start\|>|<(?:box|ref)>|<points?\s|<loc\d{4}>", re.IGNORECASE)


@cache
def _denials(target: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Texts that say only that there is no target, and those that say it somewhere."""
    words = re.escape(target)
    names = rf"(?:tumou?rs?|{words}s?|lesions?|mass(?:es)?|abnormalit(?:y|ies))"
    alone = re.compile(
        rf"\W*{_LABEL}(?:{_NOBODY}"
        rf"|(?:(?:{_WHERE}) )?no(?:ne)? {_SEEING}{names}(?: (?:(?:is|are|was|were|can be) )?{_SEEN})?{_PLACE}"
        rf"|(?:(?:the|a) )?(?:tumou?r|{words}|lesion) (?:is |was )?not {_SEEN}{_PLACE})\W*",
        re.IGNORECASE,
    )
    anywhere = rf"(?<!\bif )\bthere (?:is|are) no (?:visible )?(?:tumou?rs?|{words}s?)\b(?! (?:bound|edge))"
    return alone, re.compile(anywhere, re.IGNORECASE)


REFUSAL = re.compile(
    r"\bI(?:['’]m| am)(?: \w+){0,2} (?:unable|not able)\b|\bI(?:['’]m| am) (?:very |so )?sorry\b"
    r"|\bI (?:can ?not|can['’]?t|could ?n[o'’]t|won['’]?t|will not|must decline|do(?:n['’]?t| not) (?:see|have|feel))\b"
    r"|\bas an AI\b|\bunable to (?:provide|assist|help|comply|fulfil|answer|complete|give|offer)",
    re.IGNORECASE,
)


def judge(text: str, cut_off: bool, find: Callable[[str], Answer | None], wanted: str) -> Answer:
    """The typed answer of any text.

    `find` gives the answer in the text, None where it has no `wanted`. Only then the reason is determined: a text that
    ends in the middle of numbers is Truncated, a refusal Refused, one that the token limit ended (`cut_off`) Truncated,
    anything else Malformed. An empty text is Missing, or Truncated where the limit ended it; one above `MAX_CHARACTERS`
    is Malformed unparsed. Reasoning is not an answer: only the text after it is parsed, and a text that ends within it
    is Truncated. So is one that the limit ended in a number of its answer, since 1 may be the beginning of 10.
    """
    if len(text) > MAX_CHARACTERS:
        return Malformed(f"{len(text)} characters; expected {wanted} in at most {MAX_CHARACTERS}")
    answer = without_thoughts(text)
    if answer is None:
        return Truncated(f"the text ends within the model's reasoning, before {wanted}: raise max_new_tokens")
    text = answer
    if not text.strip() and cut_off:
        return Truncated("the token limit was reached before the first word of the answer: raise max_new_tokens")
    if not text.strip():
        return Missing("the text is empty")
    text = text.translate(UNSEEN).replace("\\left", "").replace("\\right", "")
    found = find(text)
    if cut_off and isinstance(found, Answered) and (last := LAST_NUMBER.search(text[-50:])):
        whole_part = text[: len(text) - len(last[0])]
        if find(whole_part) != found:
            return Truncated(f"the token limit was reached in the number {last[0]}, which may be incomplete")
    if found is not None:
        return found
    if (refusal := REFUSAL.search(text)) and not _ends_in_numbers(text):
        return Refused(f"the model declined: {excerpt(text[refusal.start() :])}")
    if _ends_in_open_bracket(text):
        return Truncated(f"the text ends within a bracket; expected {wanted}")
    if cut_off:
        return Truncated(f"the token limit was reached before {wanted}")
    return Malformed(f"expected {wanted}, found {excerpt(text)}")


def read_places(
    text: str,
    frame: SliceFrame,
    cut_off: bool,
    find: Callable[[str, bool], list[Found]],
    build: Callable[[tuple[Place, ...]], Value],
    wanted: str,
    target: str,
    coordinates: Coordinates = AS_ASKED,
) -> Answer:
    """The answer of a text with points of the frame; `build` makes the value from the points that `find` finds.

    Where a text has several different values, those it calls its answer count; where they still differ, or the text
    states an order, which may apply to one of them only, it is Malformed. An incomplete list is Truncated unless it
    only repeats a complete one. A point outside the frame is Malformed, as are fractions of the image and numbers in a
    model's own frame, unless `coordinates` declares the model's convention; an order stated in the text has precedence.
    `none`, an empty list, a plain denial and (-1, -1) mean that there is no `target`, which is Answered with None.
    """

    def answer(text: str) -> Answer | None:
        if says_nothing(text, target):
            return Answered(None)
        found = _in_rows(text, find(text if coordinates.as_asked else without_marks(text), cut_off), coordinates)
        if found and coordinates.as_asked and (marker := OWN_FRAME.search(text)):
            return Malformed(f"numbers in a model's own frame ({marker[0]}): declare it with `coordinates:`")
        whole_ones = [one for one in found if one.finished]
        for broken in (one for one in found if not one.finished):
            if not any(broken.repeats(one) for one in whole_ones):
                return Truncated(f"the text ends within a list of points, after {len(broken.points)}")
        said = _distinct(whole_ones)
        if len(said) > 1 and not XY_ORDER.search(text):  # else the order may apply to one of them only
            said = _distinct([one for one in whole_ones if one.claimed]) or said
        if len(said) > 1:
            return Malformed(f"{len(said)} different answers in one text: {_show(said[0])} and {_show(said[1])}, …")
        if _denials(target)[1].search(text) and len({place for points in said for place in points}) <= 1:
            return Answered(None)
        return _within(said[0], frame, build, coordinates) if said else None

    return judge(text, cut_off, answer, wanted)


def says_nothing(text: str, target: str) -> bool:
    """Whether a text says only that there is no target, such as a glioma."""
    return bool(_denials(target)[0].fullmatch(text) or EMPTY_LIST.fullmatch(text))


def whole(coordinate: float) -> str:
    """A coordinate as a whole pixel, halves up."""
    return str(math.floor(coordinate + 0.5))


def excerpt(text: str) -> str:
    """The beginning of a text, on one line, in quotation marks."""
    line = " ".join(text[:400].split())
    return repr(line if len(line) <= 80 else f"{line[:79]}…")


def _distinct(found: Sequence[Found]) -> list[tuple[Place, ...]]:
    return list(dict.fromkeys(one.points for one in found))


def _in_rows(text: str, found: list[Found], coordinates: Coordinates) -> list[Found]:
    """Numbers as (row, column): unnamed ones are in the order that the text states, or else in the model's."""
    x_first = bool(XY_ORDER.search(text)) or (coordinates.order == "x-first" and not ROW_ORDER.search(text))
    return [one.turned if x_first and not one.named else one for one in found]


def _within(
    points: tuple[Place, ...],
    frame: SliceFrame,
    build: Callable[[tuple[Place, ...]], Value],
    coordinates: Coordinates,
) -> Answer:
    if all(place == (-1, -1) for place in points):
        return Answered(None)
    in_pixels = coordinates.scale == "pixels"
    if in_pixels and all(0 <= number <= 1 for place in points for number in place) and any(map(_is_fraction, points)):
        return Malformed(f"{_show(points)} are fractions of the image; expected whole pixels")
    last_row, last_column = coordinates.ends(frame.shape)
    for row, column in points:
        if not (0 <= row <= last_row and 0 <= column <= last_column):
            expected = f"rows 0 to {last_row:g} and columns 0 to {last_column:g}"
            return Malformed(f"({row:g}, {column:g}) is outside the image; expected {expected}")
    return Answered(build(tuple(coordinates.to_pixels(row, column, frame.shape) for row, column in points)))


def _is_fraction(place: Place) -> bool:
    return not all(number.is_integer() for number in place)


def _show(points: tuple[Place, ...]) -> str:
    shown = ", ".join(f"({row:g}, {column:g})" for row, column in points[:4])
    return f"[{shown}{', …' if len(points) > 4 else ''}]"


def _tail(text: str) -> str:
    """The end of a text that consists only of numbers, brackets and separators."""
    return text[len(text.rstrip(LIST_CHARACTERS)) :]


def _ends_in_open_bracket(text: str) -> bool:
    tail = _tail(text)
    return sum(map(tail.count, "([{<")) > sum(map(tail.count, ")]}>"))


def _ends_in_numbers(text: str) -> bool:
    return _ends_in_open_bracket(text) and any(character.isdigit() for character in _tail(text))
