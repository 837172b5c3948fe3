"""The tumour's grade: 0 LGG, 1 HGG, 2 no glioma."""

import re
from collections.abc import Iterator
from typing import Any

from gliobench.cohort.subject import GRADE_NAMES, HGG, LGG
from gliobench.grid.frame import SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.tasks.answer import Answer, Answered, Malformed
from gliobench.tasks.base import NO_TUMOUR, Drawing, Known, Numbers, Task
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import NO_GLIOMA, Grade
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.reading import judge

NAMES = {
    LGG: r"low[\s-]?grade(?:\s+glioma)?+|LGG",
    HGG: r"high[\s-]?grade(?:\s+glioma)?+|HGG",
    NO_GLIOMA: r"no\s+(?:evidence\s+of\s+(?:an?\s+)?)?(?:glioma|tumou?r)s?(?!\s+(?:grade|necro|enhanc))",
}
PLAIN = {"0": LGG, "LGG": LGG, "1": HGG, "HGG": HGG}
WORDS = {LGG: "LGG (0)", HGG: "HGG (1)", NO_GLIOMA: "no glioma (2)"}
# Not the first of a menu such as "Low Grade Glioma (0), High Grade Glioma (1), …" or <0, 1, or 2>.
NO_MENU = r"(?!\W{0,3}(?:\([012]\))?\W{0,3}(?:or\b|and\b)?\W{0,3}(?:low|high|no)[\s-](?:grade|glioma))"
NOT_DENIED = (
    r"(?!\s+(?:(?:is|was|can|be|been|has|seems|very|highly)\s+){0,3}"
    r"(?:(?<=is\s)not|(?<=was\s)not|cannot|unlikely|excluded|ruled\s+out|less\s+likely|improbable|absent)\b)"
)
NO_LIST = r"(?![\d.,]*\d)(?!\s{0,3}(?:,|/|\||or|and|to|-|–)\s{0,3}(?:or\s)?[012])"
# Not a name followed by its probability, nor one that only describes something else.
NO_SCORE = (
    r"(?!\s{1,3}(?:probability|likelihood|score|chance|confidence|features?|characteristics|appearance|signs?|"
    r"components?)\b)(?!\s{0,2}[:=]?\s{0,2}(?:\d{0,3}[.,]\d|\d{1,3}\s?%))"
)
NAME = rf"(?:{'|'.join(f'(?P<name{value}>{names})' for value, names in NAMES.items())}){NO_MENU}{NOT_DENIED}{NO_SCORE}"
# Not the first of 0 for a low grade glioma, 1 for a high grade glioma, ….
NO_LEGEND = (
    r"(?![^.\n]{0,40}[,;]\s{0,3}(?:or\s|and\s)?[012]\W{0,3}(?:for\s)?(?:an?\s)?(?:low|high|no)[\s-](?:grade|glioma))"
)
NO_AMOUNT = r"(?!\s{0,2}(?:%|x\s?\d|(?:percent|[cm]m|ml|lesions?|mass(?:es)?|tumou?rs?|foci|areas?|regions?)\b))"
DIGIT = rf"(?<![-−+])(?P<digit>[012]){NO_LIST}{NO_LEGEND}{NO_AMOUNT}"
ALSO = r"(?:[^\w]{0,4}\((?P<also>[012])\))?"
KEYWORD = (
    r"(?:choice|classification|class|answer|prediction|diagnosis|label|category|classified\s+as"
    r"|antwort|klasse|réponse|reponse|choix|respuesta|elección|risposta|scelta|resposta|escolha|ответ|答案|回答|选择)"
)
FILLER = r"(?:(?:an?|the|choice|option|class|likely|probably)\b[^\w]{0,6}){0,3}"
LEAD = rf"[^\w]{{0,12}}(?:is\b|would\s+be\b|=)?[^\w]{{0,12}}{FILLER}"
NO_DENIAL = r"(?<!not\s)(?<!unlikely\sto\s)(?<!not\slikely\sto\s)"
VERB = NO_DENIAL + r"\b(?:is|are|be|suggests?|suggestive\s+of|indicates?|indicative\s+of|consistent\s+with|shows?)"
LABELLED = re.compile(rf"\b{KEYWORD}{LEAD}(?:{DIGIT}|{NAME}){ALSO}", re.IGNORECASE)
BOXED = re.compile(rf"\\boxed\s{{0,3}}\{{\s{{0,3}}(?:\\text\s{{0,3}}\{{\s{{0,3}})?(?:{DIGIT}|{NAME})", re.IGNORECASE)
GRADED = re.compile(rf"(?<!low.)(?<!high.)\bgrade\b{LEAD}{NAME}{ALSO}", re.IGNORECASE)
CLAUSE = re.compile(rf"(?:^|[.;\n])\s{{0,3}}{NAME}{ALSO}\s{{0,3}}(?=$|[.;\n])", re.IGNORECASE)
STATED = re.compile(rf"{VERB}\s+(?:(?:an?|likely|most|probably|there)\s+){{0,3}}{NAME}{ALSO}", re.IGNORECASE)
OPENING = re.compile(rf"\W*{NAME}\b{ALSO}", re.IGNORECASE)
ALONE = re.compile(
    rf":[^\w\n]{{0,12}}\n[^\w]{{0,12}}{DIGIT}[^\w\n]{{0,12}}(?=$|\n)", re.IGNORECASE
)  # on the line below a colon
BARE = re.compile(rf"[^\w-]*{DIGIT}[^\w]*(?:$|\n|reasoning\b|[-–:(]\s*{NAME}\b)", re.IGNORECASE)


class GradeTask(Task):
    """The tumour's grade: 0 LGG, 1 HGG, 2 no glioma."""

    name, value_type, json_key = "grade", Grade, "grade"
    summary = "the tumour's grade, of a patient: 0 LGG, 1 HGG, 2 no glioma"
    expected = "a choice such as Choice: 1"
    compared_as, primary = "grade", ("balanced_accuracy", "auc")
    choices = (Grade(LGG), Grade(HGG), Grade(NO_GLIOMA))
    truth_words = f"a grade ({' or '.join(GRADE_NAMES)})"
    truth_format = "LGG, HGG, 0 or 1"
    has_place = False

    @property
    def region_prompt(self) -> Prompt:
        """The same: the grade is that of the whole tumour."""
        return self.prompt

    def has_truth(self, subject: Known) -> bool:
        return subject.grade is not None

    def truth(self, subject: PreparedSubject, frame: SliceFrame) -> Grade:
        assert subject.grade is not None
        return Grade(subject.grade)

    def write(self, value: Any) -> str:
        """`Choice: 0`, `Choice: 1` or `Choice: 2`."""
        self.expect(value)
        return f"Choice: {value.value}"

    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The grade that a text states: `Choice: 1`, `Classification: High Grade Glioma (1)`, boxed, `HGG`, a bare `1`.

        A grade that is only mentioned (the prompt's menu, a feature "of high grade gliomas", a grade's probability)
        does not count, and neither does an amount such as 1 cm, nor a number after `grade`, which may be the WHO's. A
        text that states two grades is Malformed. `frame` and `coordinates` are not used: a grade has no location.
        """
        return judge(text, cut_off, _find, self.expected)

    def pattern(self, numbers: Numbers) -> str:
        return "Choice: [012]"

    def longest(self, shape: tuple[int, int]) -> str:
        return "Choice: 0"

    def to_json(self, value: Any) -> int:
        return int(value.value)

    def from_json(self, content: Any, frame: SliceFrame | None) -> Grade:
        return Grade(int(content))

    def of_plain(self, content: Any, frame: SliceFrame | None) -> Grade:
        """From 0, 1, `LGG` or `HGG`, as in tables of truths."""
        if str(content) not in PLAIN:
            raise ValueError(f"expected {self.truth_format}")
        return Grade(PLAIN[str(content)])

    def exact(self, value: Any) -> str:
        return NO_TUMOUR if value.value == NO_GLIOMA else GRADE_NAMES[value.value]

    def drawn(self, value: Any) -> Drawing:
        return Drawing(words=f"says {self.exact(value)}")


GRADE = GradeTask()


def _find(text: str) -> Answer | None:
    for claims in _claims(text):
        said = sorted({value for match in claims for value in _values(match)})
        if len(said) > 1:
            return Malformed(f"claims {' and '.join(WORDS[value] for value in said)}; expected one choice")
        if said:
            return Answered(Grade(said[0]))
    return None


def _claims(text: str) -> Iterator[list[re.Match[str]]]:
    """The grades stated in the text, from the most explicit form to the least."""
    yield [*BOXED.finditer(text), *(match for match in LABELLED.finditer(text) if not _numbers_a_list(text, match))]
    yield list(GRADED.finditer(text))
    yield [match for match in (BARE.match(text), ALONE.search(text), OPENING.match(text)) if match]
    yield list(STATED.finditer(text))
    yield list(CLAUSE.finditer(text))


def _numbers_a_list(text: str, match: re.Match[str]) -> bool:
    """True for the `1.` that begins a list on a line of its own below the word `Answer`."""
    return (
        "\n" in match[0]
        and match["digit"] is not None
        and re.match(r"[.)][ \t]*\w", text[match.end() :][:9]) is not None
    )


def _values(match: re.Match[str]) -> list[int]:
    found = match.groupdict()
    digits = [int(found[key]) for key in ("digit", "also") if found.get(key)]
    return digits + [value for value in NAMES if found.get(f"name{value}")]
