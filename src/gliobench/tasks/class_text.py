"""The class that a text states, in a study of any problem."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from gliobench.cohort.problem import Problem
from gliobench.tasks.answer import Answer, Answered, Malformed
from gliobench.tasks.geometry import Grade

GLIOMA_NAMES = (
    r"low[\s-]?grade(?:\s+glioma)?+|LGG",
    r"high[\s-]?grade(?:\s+glioma)?+|HGG",
    r"no\s+(?:evidence\s+of\s+(?:an?\s+)?)?(?:glioma|tumou?r)s?(?!\s+(?:grade|necro|enhanc))",
)
GLIOMA_MENU = r"(?:low|high|no)[\s-](?:grade|glioma)"
NOT_DENIED = (
    r"(?!\s+(?:(?:is|was|can|be|been|has|seems|very|highly)\s+){0,3}"
    r"(?:(?<=is\s)not|(?<=was\s)not|cannot|unlikely|excluded|ruled\s+out|less\s+likely|improbable|absent)\b)"
)
# Not a name followed by its probability, nor one that only describes something else.
NO_SCORE = (
    r"(?!\s{1,3}(?:probability|likelihood|score|chance|confidence|features?|characteristics|appearance|signs?|"
    r"components?)\b)(?!\s{0,2}[:=]?\s{0,2}(?:\d{0,3}[.,]\d|\d{1,3}\s?%))"
)
KEYWORD = (
    r"(?:choice|classification|class|answer|prediction|diagnosis|label|category|classified\s+as"
    r"|antwort|klasse|réponse|reponse|choix|respuesta|elección|risposta|scelta|resposta|escolha|ответ|答案|回答|选择)"
)
FILLER = r"(?:(?:an?|the|choice|option|class|likely|probably)\b[^\w]{0,6}){0,3}"
LEAD = rf"[^\w]{{0,12}}(?:is\b|would\s+be\b|=)?[^\w]{{0,12}}{FILLER}"
NO_DENIAL = r"(?<!not\s)(?<!unlikely\sto\s)(?<!not\slikely\sto\s)"
VERB = NO_DENIAL + r"\b(?:is|are|be|suggests?|suggestive\s+of|indicates?|indicative\s+of|consistent\s+with|shows?)"


@dataclass(frozen=True)
class Forms:
    """The forms in which a text states a class, from the most explicit to the least."""

    boxed: re.Pattern[str]
    labelled: re.Pattern[str]
    graded: re.Pattern[str]
    bare: re.Pattern[str]
    alone: re.Pattern[str]
    opening: re.Pattern[str]
    stated: re.Pattern[str]
    clause: re.Pattern[str]


def find_class(text: str, problem: Problem) -> Answer | None:
    """The class that a text states; Malformed where it states two, None where it states none."""
    forms = _forms(problem)
    for claims in _claims(text, forms):
        said = sorted({value for match in claims for value in _values(match, problem)})
        if len(said) > 1:
            words = " and ".join(f"{problem.class_name(value)} ({value})" for value in said)
            return Malformed(f"claims {words}; expected one choice")
        if said:
            return Answered(Grade(said[0]))
    return None


@cache
def _forms(problem: Problem) -> Forms:
    digits = f"[0-{problem.none}]"
    names, menu = _names(problem)
    # Not the first of a menu such as "Low Grade Glioma (0), High Grade Glioma (1), …" or <0, 1, or 2>.
    no_menu = rf"(?!\W{{0,3}}(?:\({digits}\))?\W{{0,3}}(?:or\b|and\b)?\W{{0,3}}{menu})"
    no_list = rf"(?![\d.,]*\d)(?!\s{{0,3}}(?:,|/|\||or|and|to|-|–)\s{{0,3}}(?:or\s)?{digits})"
    # Not the first of 0 for a low grade glioma, 1 for a high grade glioma, ….
    no_legend = rf"(?![^.\n]{{0,40}}[,;]\s{{0,3}}(?:or\s|and\s)?{digits}\W{{0,3}}(?:for\s)?(?:an?\s)?{menu})"
    no_amount = r"(?!\s{0,2}(?:%|x\s?\d|(?:percent|[cm]m|ml|lesions?|mass(?:es)?|tumou?rs?|foci|areas?|regions?)\b))"
    name = (
        rf"(?:{'|'.join(f'(?P<name{value}>{words})' for value, words in names.items())}){no_menu}{NOT_DENIED}{NO_SCORE}"
    )
    digit = rf"(?<![-−+])(?P<digit>{digits}){no_list}{no_legend}{no_amount}"
    also = rf"(?:[^\w]{{0,4}}\((?P<also>{digits})\))?"
    forms = (
        rf"\\boxed\s{{0,3}}\{{\s{{0,3}}(?:\\text\s{{0,3}}\{{\s{{0,3}})?(?:{digit}|{name})",
        rf"\b{KEYWORD}{LEAD}(?:{digit}|{name}){also}",
        rf"(?<!low.)(?<!high.)\bgrade\b{LEAD}{name}{also}",
        rf"[^\w-]*{digit}[^\w]*(?:$|\n|reasoning\b|[-–:(]\s*{name}\b)",
        rf":[^\w\n]{{0,12}}\n[^\w]{{0,12}}{digit}[^\w\n]{{0,12}}(?=$|\n)",  # on the line below a colon
        rf"\W*{name}\b{also}",
        rf"{VERB}\s+(?:(?:an?|likely|most|probably|there)\s+){{0,3}}{name}{also}",
        rf"(?:^|[.;\n])\s{{0,3}}{name}{also}\s{{0,3}}(?=$|[.;\n])",
    )
    return Forms(*(re.compile(form, re.IGNORECASE) for form in forms))


def _names(problem: Problem) -> tuple[Mapping[int, str], str]:
    """How texts name each class and the answer that there is no target, and how a name in a menu begins."""
    if problem.reading == "glioma":
        return dict(enumerate(GLIOMA_NAMES)), GLIOMA_MENU
    words = [_class_words(problem, number) for number in range(problem.count)]
    none = rf"no\s+(?:evidence\s+of\s+(?:an?\s+)?)?(?:{_spoken(problem.target)}|lesion|tumou?r)s?"
    # The longest first: `stage 1b` is not `stage 1`.
    order = sorted(range(len(words)), key=lambda value: -len(problem.classes[value]))
    names = {value: rf"(?<!\w){words[value]}(?!\w)" for value in order} | {problem.none: rf"(?<!\w){none}(?!\w)"}
    return names, rf"(?:an?\s)?(?:{'|'.join(words)}|{none})"


def _class_words(problem: Problem, number: int) -> str:
    """A class by its name, with the target or without, or as prompts call it."""
    named = rf"{_spoken(problem.classes[number])}(?:\s+{_spoken(problem.target)})?+"
    in_prompts = _spoken(re.sub(r"^(?:an?|the)\s+", "", problem.words_of_class(number)))
    return rf"(?:an?\s+)?(?:{named}|{in_prompts})"


def _spoken(name: str) -> str:
    """A name as a regular expression, whatever separates its words."""
    return r"[\s_-]?".join(re.escape(word) for word in re.split(r"[\s_-]+", name))


def _claims(text: str, forms: Forms) -> Iterator[list[re.Match[str]]]:
    """The classes stated in the text, from the most explicit form to the least."""
    labelled = (match for match in forms.labelled.finditer(text) if not _numbers_a_list(text, match))
    yield [*forms.boxed.finditer(text), *labelled]
    yield list(forms.graded.finditer(text))
    first = (forms.bare.match(text), forms.alone.search(text), forms.opening.match(text))
    yield [match for match in first if match]
    yield list(forms.stated.finditer(text))
    yield list(forms.clause.finditer(text))


def _numbers_a_list(text: str, match: re.Match[str]) -> bool:
    """True for the `1.` that begins a list on a line of its own below the word `Answer`."""
    return (
        "\n" in match[0]
        and match["digit"] is not None
        and re.match(r"[.)][ \t]*\w", text[match.end() :][:9]) is not None
    )


def _values(match: re.Match[str], problem: Problem) -> list[int]:
    found = match.groupdict()
    digits = [int(found[key]) for key in ("digit", "also") if found.get(key)]
    return digits + [value for value in range(problem.none + 1) if found.get(f"name{value}")]
