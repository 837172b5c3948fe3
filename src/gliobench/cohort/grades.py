"""Grades as written in tables: LGG or HGG, 0 or 1, or the WHO's.

WHO grades become BraTS's two classes as in its own training sets, which took LGG from TCGA-LGG (WHO 2 and 3) and HGG
from TCGA-GBM (WHO 4): Bakas 2017, doi:10.1038/sdata.2017.117. Clinics count WHO 3 as high grade; for that, write LGG
and HGG. A 1 is HGG only where the column has a 0 as well, and no WHO grade.
"""

import re
from collections.abc import Sequence

from gliobench.cohort.subject import HGG, LGG
from gliobench.errors import GliobenchError

NOTHING = ("", "NAN", "NONE", "NA", "N/A", "NULL", "<NA>")  # how tables mark an unknown grade or file
WORDS = {"LGG": LGG, "HGG": HGG, "LOW": LGG, "HIGH": HGG, "FALSE": LGG, "TRUE": HGG}
WHO = {1: LGG, 2: LGG, 3: LGG, 4: HGG}
ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4}
WHO_RULE = "WHO grades are read as BraTS has them: 1, 2 and 3 are LGG, 4 is HGG"
_WORD = re.compile(r"(LOW|HIGH)[- ]?GRADE( GLIOMA)?")
_WHO = re.compile(r"(?P<said>(WHO[ -]?)?(GRADE[ -]?)?)(CNS )?(?P<number>[1-4]|IV|I{1,3})")


class ClassError(GliobenchError, ValueError):
    """A class that cannot be read; the message says why."""


def read_grades(cells: Sequence[str], column: str) -> tuple[list[int | ClassError | None], tuple[str, ...]]:
    """The grade of every cell of a column, LGG (0), HGG (1) or None where it is empty, and the rule for WHO grades
    where they are.

    A column has one meaning: with numbers above 1, Roman numerals or the word WHO, in its name too, every number in it
    is a WHO grade.
    """
    plain = [_plain(cell) for cell in cells]
    who = column.lower().startswith("who") or any(_names_who(cell) for cell in plain)
    zero = any(cell in ("0", "FALSE") for cell in plain)
    grades = [_grade(cell, text, who, zero) for cell, text in zip(plain, cells, strict=True)]
    return grades, (WHO_RULE,) if who and any(_who(cell) for cell in plain) else ()


def _grade(cell: str, text: str, who: bool, zero: bool) -> int | ClassError | None:
    if cell in NOTHING:
        return None
    if cell in WORDS:
        return WORDS[cell]
    number = _who(cell)
    if who and zero and cell in ("0", "1"):
        return ClassError(f"grade {text!r}: the column has WHO grades and 0: write LGG and HGG")
    if who and number:
        return WHO[number]
    if cell == "0":
        return LGG
    if cell == "1" and zero:
        return HGG
    if cell == "1":
        return ClassError(
            f"grade {text!r}: HGG, or WHO grade 1? Without a 0 in the column this is ambiguous: write LGG or HGG"
        )
    return ClassError(f"grade {text!r}: expected LGG, HGG, 0, 1, a WHO grade (1 to 4, I to IV) or nothing")


def _plain(cell: str) -> str:
    word = " ".join(str(cell).upper().split())
    word = re.sub(r"^(\d+)\.0+$", r"\1", word)
    return match[1] if (match := _WORD.fullmatch(word)) else word


def _who(cell: str) -> int | None:
    match = _WHO.fullmatch(cell)
    return None if match is None else ROMAN.get(match["number"]) or int(match["number"])


def _names_who(cell: str) -> bool:
    """Whether a cell can only be a WHO grade."""
    match = _WHO.fullmatch(cell)
    return match is not None and (bool(match["said"]) or match["number"] != "1")
