"""The model card of a fine-tuned model: it names no patient, so it can be shared."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.training.finetune.fit import Finetuned
from gliobench.training.finetune.settings import FinetuneSettings

_BALANCE = {True: "balanced by sampling", "copies": "balanced by copies", False: "as they come"}


@dataclass(frozen=True)
class Card:
    """`base`: folder name or hub id. `data`: where the patients come from. `patients`: how many in each part."""

    base: str
    data: str
    patients: Mapping[str, int]
    examples: int
    settings: FinetuneSettings
    found: Finetuned
    problem: Problem = GLIOMA


def write_card(path: Path, card: Card) -> None:
    """Write the card as Markdown with the metadata header that the Hub reads."""
    found, settings, problem = card.found, card.settings, card.problem
    library = "peft" if settings.method == "lora" else "transformers"
    classes = f"{problem.classes_word} {_BALANCE[settings.balance_grades]}"
    head = [
        *("---", f"base_model: {card.base}", f"library_name: {library}"),
        *("pipeline_tag: image-text-to-text", f"tags: [gliobench, medical, {_tags(problem)}]", "---"),
    ]
    patients = "; ".join(f"{name} {count}" for name, count in card.patients.items())
    lines = [
        *head,
        "",
        f"# {card.base}, fine-tuned by gliobench ({settings.method})",
        "",
        "For research only; not a medical device. Not to be used on patients.",
        "",
        "## Data",
        "",
        f"- {card.data}",
        f"- patients: {patients}; {card.examples} questions about single slices with their true answers",
        f"- slices were chosen by the true {problem.finding_words}'s extent; {classes}",
        "",
        *_figures(found, settings),
        "",
        "## Checks",
        "",
        *(f"- {verdict}" for verdict in found.verdicts),
        "",
        "## Settings",
        "",
        *(f"- {name}: {_text(value)}" for name, value in asdict(settings).items() if value is not None),
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _figures(found: Finetuned, settings: FinetuneSettings) -> list[str]:
    if settings.patients == "all":
        last = (
            f"The last of {found.steps} steps, after {found.seconds:.0f} s in all. There were no validation patients."
        )
        return ["## Figures", "", last]
    return [
        "## Figures on validation slices",
        "",
        f"Best of {found.steps} steps: step {found.best}, after {found.seconds:.0f} s in all.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name.removeprefix('task_')} | {value:.4g} |" for name, value in found.figures.items()),
        "",
        "These slices chose the step: they say little about other patients.",
    ]


def _tags(problem: Problem) -> str:
    """The problem's name in the form of tags; of gliomas on MRI both."""
    return "mri, glioma" if problem == GLIOMA else re.sub("[^a-z0-9]+", "-", problem.name.lower()).strip("-")


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
