"""The planned comparisons in words: which camp is better, by how much, whether it is shown, what it took, and what more
patients could show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import Cost, Money, ReportContents
from gliobench.report.pairs import signed
from gliobench.report.seeds import seeds_disagree
from gliobench.tasks.registry import task_words

NAMES = {
    "general": "general model",
    "fine-tuned": "fine-tuned model",
    "specialised": "specialised model",
    "trivial": "trivial baseline",
}
TRIVIAL = "trivial"
HOUR = 3600.0
LEAST = 0.0001  # of money; less is said to be less
COSTS = (
    "What each took in this run, by its own clock: training, as its stages took when they were last done, and "
    "answering about all patients. A model that is fitted when it is asked has the rest of that stage as its training. "
    "What was made elsewhere, and a checkpoint's own training, are not in it."
)
MONEY = (
    "Money: these hours at the study file's prices; of a served model the tokens of these answers, as its server "
    "counted them, without repeated attempts. A stage that was interrupted and resumed counts with its last part."
)


@dataclass(frozen=True)
class PlannedRow:
    """One planned comparison: two sides with their camps, first minus second. `verdict`: what it shows, in words.
    `reach`: the minimum detectable difference of these patients, `reach_twice` of twice as many."""

    task: str
    metric: str
    plane: str
    one: str
    other: str
    difference: str
    interval: str
    p: str
    n: int
    verdict: str
    shown: bool
    reach: str
    reach_twice: str


@dataclass(frozen=True)
class CostRow:
    """What one compared model took, in words. `money`: to train, to answer and per patient; empty where no price is
    given."""

    model: str
    learning: str
    answering: str
    where: str
    money: tuple[str, ...] = ()


def has_planned(contents: ReportContents) -> bool:
    """Whether there are planned comparisons to show."""
    return contents.planned is not None and len(contents.planned) > 0


def planned_rows(contents: ReportContents) -> list[PlannedRow]:
    """The planned comparisons, in the order of the tasks."""
    return [_row(contents, row) for task in _tasks(contents) for row in _rows(contents, task)]


def planned_words(contents: ReportContents) -> str:
    """How to read the table."""
    counts = [
        f"{task_words(task, contents.problem)} {sum(pd.notna(row['p']) for row in _rows(contents, task))}"
        for task in _tasks(contents)
    ]
    return (
        "Planned comparisons, paired by patient, first minus second, on each task's first figure. A difference counts "
        "as shown only if its 95 % interval excludes 0 and p, corrected for the planned tests of its task (Holm: "
        f"{numbers.listed(counts)}), is below 0.05. Detectable: the smallest true difference that so many patients "
        "show with 80 % power in a single test; with twice as many, about so."
    )


def choice_sentences(contents: ReportContents) -> list[str]:
    """Who stands for a camp that has several models, and why."""
    if contents.choices is None:
        return []
    groups = contents.choices.groupby(["task", "camp"], sort=False)
    return [_choice(contents, str(task), str(camp), own) for (task, camp), own in groups]


def left_out_sentences(contents: ReportContents) -> list[str]:
    """Whom a planned comparison leaves out, because only one side has a value."""
    rows = [row for task in _tasks(contents) for row in _rows(contents, task) if row["left_out"]]
    return [
        f"{task_words(row['task'], contents.problem)}, {row['plane']}, {row['model_a']} and {row['model_b']}: left out "
        f"are {numbers.listed([_counted(part) for part in row['left_out'].split('; ')])}."
        for row in rows
    ]


def _counted(side: str) -> str:
    whose, patients = side.split(": ", 1)
    return f"{numbers.patients(patients.count(', ') + 1)} {whose}"


def answer(contents: ReportContents) -> str:
    """The answer to what the study asks: the camps against one another in a few sentences; empty without any."""
    if not has_planned(contents):
        return ""
    answers = (_answer(contents, task) for task in _tasks(contents))
    return " ".join(filter(None, [*answers, seeds_disagree(contents), *_cost_sentence(contents)]))


def has_prices(contents: ReportContents) -> bool:
    """Whether anything is said of money."""
    return any(cost.money for cost in contents.costs.values())


def cost_words(contents: ReportContents) -> str:
    """What the costs are of."""
    prices = f" Prices: {contents.prices}." if contents.prices else ""
    return f"{COSTS} {MONEY}{prices}" if has_prices(contents) else COSTS


def cost_heads(contents: ReportContents) -> list[str]:
    """The columns of the costs."""
    money = ["cost of training", "cost of answering", "per patient"] if has_prices(contents) else []
    return ["model", "training", "answering", "on", *money]


def cost_rows(contents: ReportContents) -> list[CostRow]:
    """What each compared model took."""
    return [
        CostRow(name, _hours(cost.learning_s), _hours(cost.answering_s), cost.where or "not known", _priced(cost))
        for name, cost in contents.costs.items()
    ]


def _tasks(contents: ReportContents) -> list[str]:
    return [] if contents.planned is None else metrics.tasks_of(contents.planned)


def _rows(contents: ReportContents, task: str) -> list[pd.Series]:
    assert contents.planned is not None
    return [row for _, row in contents.planned[contents.planned["task"] == task].iterrows()]


def _row(contents: ReportContents, row: pd.Series) -> PlannedRow:
    unit = metrics.unit(row["metric"])
    return PlannedRow(
        task=task_words(row["task"], contents.problem),
        metric=metrics.title(row["metric"]),
        plane=row["plane"],
        one=_side(row["model_a"], row["camp_a"]),
        other=_side(row["model_b"], row["camp_b"]),
        difference=signed(row["difference"], unit),
        interval="" if pd.isna(row["low"]) else f"{signed(row['low'], unit)} to {signed(row['high'], unit)}",
        p="–" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.2g}",
        n=int(row["n_subjects"]),
        verdict=f"{_better(row)} is better" if row["shown"] else "not shown",
        shown=bool(row["shown"]),
        reach=_amount(row["smallest_detectable"], unit),
        reach_twice=_amount(row["detectable_with_twice"], unit),
    )


def _side(model: str, camp: object) -> str:
    return f"{model} ({camp})" if isinstance(camp, str) else model


def _named(model: str, camp: object) -> str:
    """`the general model (llama)`."""
    return f"the {NAMES[camp]} ({model})" if isinstance(camp, str) else model


def _better(row: pd.Series) -> str:
    first = (row["difference"] < 0) == metrics.lower_is_better(row["metric"])
    return str(row["model_a"] if first else row["model_b"])


def _amount(value: float, unit: str) -> str:
    return "not defined" if pd.isna(value) else numbers.with_unit(float(value), unit)


def _answer(contents: ReportContents, task: str) -> str:
    """What is shown on a task, and among whom nothing is."""
    rows, called = _rows(contents, task), task_words(task, contents.problem)
    several = len({row["plane"] for row in rows}) > 1
    parts = [_shown(row, several) for row in rows if row["shown"]]
    if left := [row for row in rows if not row["shown"]]:
        parts.append(_not_shown(left, others=len(left) < len(rows)))
    return f"{called[0].upper()}{called[1:]}: {'; '.join(parts)}."


def _shown(row: pd.Series, several: bool) -> str:
    sides = [(row["model_a"], row["camp_a"]), (row["model_b"], row["camp_b"])]
    if _better(row) != row["model_a"]:
        sides.reverse()
    unit = metrics.unit(row["metric"])
    low, high = sorted((abs(row["low"]), abs(row["high"])))
    where = f" on {row['plane']} slices" if several and row["plane"] != "volume" else ""
    return (
        f"{_named(*sides[0])} is better than {_named(*sides[1])}{where} by "
        f"{numbers.with_unit(abs(float(row['difference'])), unit)} of {metrics.title(row['metric'])} "
        f"({numbers.interval(low, high, unit)}, p={row['p_holm']:.2g}, {numbers.patients(int(row['n_subjects']))})"
    )


def _not_shown(rows: Sequence[pd.Series], *, others: bool) -> str:
    """`no difference is shown between …`, and what so many patients, and twice as many, could show."""
    sides = [_side(row[f"model_{one}"], row[f"camp_{one}"]) for row in rows for one in "ab"]
    names = list(dict.fromkeys(sides))
    between = "between" if len(names) == 2 else "among"
    said = (
        "no other planned difference is shown"
        if others
        else f"no difference is shown {between} {numbers.listed(names)}"
    )
    reaches = [row for row in rows if pd.notna(row["smallest_detectable"])]
    if not reaches:
        return said
    unit = metrics.unit(rows[0]["metric"])
    now, twice = (
        _span([float(row[column]) for row in reaches], unit)
        for column in ("smallest_detectable", "detectable_with_twice")
    )
    n = max(int(row["n_subjects"]) for row in reaches)
    return f"{said} ({numbers.patients(n)} could show {now}, {n} more about {twice})"


def _span(values: Sequence[float], unit: str) -> str:
    low, high = min(values), max(values)
    if numbers.number(low, unit) == numbers.number(high, unit):
        return numbers.with_unit(low, unit)
    return f"{numbers.number(low, unit)} to {numbers.with_unit(high, unit)}"


def _choice(contents: ReportContents, task: str, camp: str, rows: pd.DataFrame) -> str:
    called = task_words(task, contents.problem)
    if not rows["chosen"].any():
        names = numbers.listed(list(dict.fromkeys(map(str, rows["model"]))))
        return f"{called}, {camp}: {names} are all compared; not all have a figure on validation patients to choose by."
    rounds = rows["round"].nunique()
    parts = []
    for number, own in rows.groupby("round", sort=False):
        figures = ", ".join(f"{row['model']} {_validation(row)}" for _, row in own.iterrows())
        where = f"fold {number}: " if rounds > 1 else ""
        parts.append(f"{where}{own.loc[own['chosen'], 'model'].item()} ({figures})")
    judged_on, metric = str(rows["metric"].iloc[0]).split(" ", 1)
    what = f"{task_words(judged_on, contents.problem)}, {metrics.title(metric)}"
    return f"{called}, {camp}: chosen on validation patients by {what}: {'; '.join(parts)}."


def _validation(row: pd.Series) -> str:
    return numbers.with_unit(float(row["validation"]), metrics.unit(row["metric"].split(" ", 1)[1]))


def _cost_sentence(contents: ReportContents) -> Iterator[str]:
    """What the compared models took, trivial baselines apart."""
    known = {name: cost for name, cost in contents.costs.items() if name not in contents.baselines}
    if not known:
        return
    parts = []
    for name, cost in known.items():
        spent = [f"{_hours(cost.learning_s)} to train"] if cost.learning_s else []
        spent.append(f"{_hours(cost.answering_s)} to answer")
        beside = "; ".join(filter(None, [cost.where, _money_words(cost)]))
        parts.append(f"{name} {' and '.join(spent)}{f' ({beside})' if beside else ''}")
    yield f"They took: {'; '.join(parts)}."


def _money_words(cost: Cost) -> str:
    """`5.20 EUR to train, 0.31 EUR to answer, 0.0078 EUR per patient`, as far as it is known."""
    if cost.money is None:
        return ""
    learning = _amount_of(cost.money, cost.money.learning) if cost.learning_s else ""
    answering, patient = (_amount_of(cost.money, one) for one in (cost.money.answering, cost.money.patient))
    said = {"to train": learning, "to answer": answering, "per patient": patient}
    return ", ".join(f"{amount} {what}" for what, amount in said.items() if amount)


def _priced(cost: Cost) -> tuple[str, ...]:
    if (money := cost.money) is None:
        return ()
    amounts = (money.learning, money.answering, money.patient)
    learning, *asking = (_amount_of(money, one) or "not known" for one in amounts)
    return ("–" if cost.learning_s == 0 else learning, *asking)


def _amount_of(money: Money, amount: float | None) -> str:
    """Two digits at least; empty where it is not known."""
    if amount is None:
        return ""
    if 0 < amount < LEAST:
        return f"under {LEAST:g} {money.currency}"
    return f"{amount:.2f} {money.currency}" if amount >= 1 or amount == 0 else f"{amount:.2g} {money.currency}"


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if seconds == 0:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < HOUR else f"{seconds / HOUR:.1f} h"
