"""Checklists that reviewers ask for, filled in with what a run knows; what a person has to add is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from gliobench.report.markdown import text
from gliobench.yaml_file import read_yaml

ADD = "to be written by the authors, or marked as not applicable"


@dataclass(frozen=True)
class Item:
    """What a checklist asks, in short words. `facts`: which facts of a run answer it, at least in part; `add`: what a
    person adds to these."""

    item: str
    section: str
    asks: str
    facts: tuple[str, ...] = ()
    add: str = ""


@dataclass(frozen=True)
class Form:
    """A published checklist, paraphrased; `source`: where it was published."""

    name: str
    title: str
    source: str
    items: tuple[Item, ...]


def form_names() -> list[str]:
    """The checklists that there are."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def read_form(name: str) -> Form:
    """One of `form_names`."""
    content = read_yaml(_folder() / f"{name}.yaml").content
    items = tuple(Item(**one | {"facts": tuple(one.get("facts", ()))}) for one in content.pop("items"))
    return Form(**content, items=items)


def fill(form: Form, facts: Mapping[str, str]) -> str:
    """The checklist as Markdown: under each item what the run says of it, and what a person has to add."""
    answers = [[facts[name] for name in item.facts if facts.get(name)] for item in form.items]
    answered = sum(map(bool, answers))
    lines = [
        f"# {form.name}: {text(form.title)}",
        "",
        f"Items paraphrased from: {text(form.source)}. Hand in the journal's own form; this text fills it.",
        "",
        f"{answered} of {len(form.items)} items are answered by the run, at least in part; the others by the authors.",
        "",
    ]
    pairs = zip(form.items, answers, strict=True)
    for section, own in groupby(pairs, key=lambda pair: pair[0].section):
        lines += [f"## {section}", "", *(line for item, found in own for line in _item(item, found))]
    return "\n".join(lines)


def _item(item: Item, answers: Sequence[str]) -> list[str]:
    add = item.add or ("" if answers else ADD)
    return [
        f"**{item.item}** {text(item.asks)}",
        "",
        *(f"- Run: {text(answer)}" for answer in answers),
        *([f"- To add: {text(add)}"] if add else []),
        "",
    ]


def _folder() -> Path:
    return Path(str(files("gliobench.report"))) / "forms"
