"""Text files of answers: read whole, checked for what no answer can be, and the patient's number found in the name."""

import re
from pathlib import Path

from gliobench.replay.errors import ReplayError

LONGEST_LINE = 1_000_000  # characters; a model's answer has some hundred


def read_text(path: Path) -> str:
    """The text of a file, UTF-8. Raises ReplayError naming the line that is too long or is no UTF-8."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ReplayError(
            f"{path}:{line}: byte {raw[error.start]:#04x} is not UTF-8 ({error.reason}): "
            "save the file as UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ReplayError(f"{path}:{line}: a zero byte: UTF-8 text is expected (is this UTF-16, or no text?)")
    for number, line_text in enumerate(text.split("\n"), start=1):
        if len(line_text) > LONGEST_LINE:
            raise ReplayError(
                f"{path}:{number}: a line of {len(line_text):,} characters; an answer has at most {LONGEST_LINE:,}: "
                "is this a file of answers?"
            )
    return text


def subject_number(path: Path) -> int:
    """The last whole number in a file's name: 12 of `og_patient_12.txt`. Raises ReplayError where there is none."""
    numbers = re.findall(r"\d+", path.stem)
    if not numbers:
        raise ReplayError(f"{path}: no number in the file's name, so whose answers these are is not known")
    return int(numbers[-1])


def subject_name(number: int) -> str:
    """How a numbered patient is called in every table."""
    return f"patient_{number:03d}"


def line_of(text: str, position: int) -> int:
    """The line, counted from 1, of a character."""
    return text.count("\n", 0, position) + 1
