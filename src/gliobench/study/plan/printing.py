"""A plan for a person, as tables, and for a machine, as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.box import SIMPLE
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from gliobench.study.plan.estimates import Estimate, Plan

MARKS = {"counted": "", "measured": "*", "estimate": "~"}


def plan_json(plan: Plan) -> str:
    """The whole plan; every figure with its basis."""
    return json.dumps(asdict(plan), indent=1)


def plan_tables(plan: Plan) -> Iterator[RenderableType]:
    """What it takes, what it writes, what is missing, and what was assumed."""
    yield f"Requirements of {plan.study}: ~ estimate, * measured in an earlier run in this folder, else counted."
    yield _stages(plan)
    if any(step.images for step in plan.steps):
        yield _looking(plan)
    if plan.bills:
        yield _money(plan)
    yield _files(plan)
    yield _missing(plan) if plan.missing else "Nothing is missing here."
    yield ""
    for sentence in plan.assumptions:
        yield escape(f"- {sentence}")


def _table(title: str, words: list[str], figures: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for head in words:
        table.add_column(head, overflow="fold")
    for head in figures:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _stages(plan: Plan) -> Table:
    title = f"Here: {plan.here}. There: {plan.there}."
    table = _table(title, ["stage", "model"], ["patients", "questions", "GPU GiB", "here", "there"])
    for step in plan.steps:
        cells = [_whole(step.patients), _whole(step.questions), figure(step.gpu_memory_gib)]
        table.add_row(step.stage, step.model, *cells, time_words(step.hours_here), time_words(step.hours_there))
    return table


def _looking(plan: Plan) -> Table:
    heads = ["slices", "questions", "text tokens", "image tokens", "tokens out", "money"]
    table = _table("Models that look at slices", ["model"], heads)
    for step in plan.steps:
        if step.images is not None:
            tokens = (step.text_tokens_in, step.image_tokens_in, step.tokens_out)
            money = f"{figure(step.money)} {step.currency}".strip()
            table.add_row(step.model, _whole(step.images), _whole(step.questions), *map(_short, tokens), money)
    return table


def _money(plan: Plan) -> Table:
    table = _table("Money", ["stage", "model"], ["here", "there", "per patient here", "there"])
    for bill in plan.bills:
        amounts = (bill.here, bill.there, bill.patient_here, bill.patient_there)
        cells = ["" if one is None else f"{_amount(one)} {bill.currency}" for one in amounts]
        table.add_row(bill.stage, bill.model, *cells)
    return table


def _amount(money: Estimate) -> str:
    return figure(money) if money.value >= 0.01 or money.value == 0 else "under 0.01"


def _files(plan: Plan) -> Table:
    table = _table("Disk", ["what", "where"], ["GiB"])
    for one in plan.files:
        table.add_row(one.what, escape(one.where), figure(one.gib))
    return table


def _missing(plan: Plan) -> Table:
    table = _table("What is missing here", ["for", "what"], [])
    for one in plan.missing:
        table.add_row(one.concerns, escape(one.problem))
    return table


def _whole(amount: Estimate | None) -> str:
    return "" if amount is None else f"{MARKS[amount.basis]}{amount.value:,.0f}"


def _short(amount: Estimate | None) -> str:
    """Three digits: 1.23 M."""
    if amount is None:
        return ""
    size, unit = next(((s, u) for s, u in ((1e9, " G"), (1e6, " M"), (1e3, " k")) if amount.value >= s), (1.0, ""))
    return f"{MARKS[amount.basis]}{amount.value / size:.3g}{unit}"


def figure(amount: Estimate | None) -> str:
    if amount is None:
        return ""
    return MARKS[amount.basis] + (f"{amount.value:.2g}" if amount.value < 10 else f"{amount.value:,.0f}")


def time_words(hours: Estimate | None) -> str:
    """Seconds below two minutes, minutes below two hours."""
    if hours is None:
        return ""
    size, unit = (1, "h") if hours.value >= 2 else (60, "min") if hours.value * 60 >= 2 else (3600, "s")
    number = hours.value * size
    return f"{MARKS[hours.basis]}{f'{number:,.0f}' if number >= 100 else f'{number:.3g}'} {unit}"
