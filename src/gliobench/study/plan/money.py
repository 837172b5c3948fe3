"""What the steps of a plan cost, at the study file's prices."""

from collections.abc import Iterator, Sequence

from gliobench.study.parts.prices import CPU, HOUR_S, PricesConfig
from gliobench.study.plan.estimates import Bill, Estimate, Step
from gliobench.study.plan.hardware import Hardware


def bills(steps: Sequence[Step], prices: PricesConfig | None, by_tokens: frozenset[str], here: Hardware) -> list[Bill]:
    """A bill for every step of a model that a price is known for. `by_tokens`: the models that are paid so."""
    return list(_bills(steps, prices, by_tokens, here))


def _bills(
    steps: Sequence[Step], prices: PricesConfig | None, by_tokens: frozenset[str], here: Hardware
) -> Iterator[Bill]:
    for step in steps:
        if step.money is not None:
            yield _bill(step, step.currency, step.money, step.money)
        elif prices is not None and step.model and step.model not in by_tokens:
            on_gpu = bool(here.memory_gib and step.gpu_memory_gib)
            money_here = _of_time(prices, step.hours_here, here.name if on_gpu else CPU)
            money_there = _of_time(prices, step.hours_there, "the GPU that the plan names")
            if money_here or money_there:
                yield _bill(step, prices.currency, money_here, money_there)


def _of_time(prices: PricesConfig, hours: Estimate | None, device: str) -> Estimate | None:
    amount = None if hours is None else prices.of_time(hours.value * HOUR_S, device)
    return None if hours is None or amount is None else Estimate(amount, hours.basis)


def _bill(step: Step, currency: str, here: Estimate | None, there: Estimate | None) -> Bill:
    asking = step.stage == "predict"
    each = [_per_patient(one, step.patients) if asking else None for one in (here, there)]
    return Bill(step.stage, step.model, currency, here, there, *each)


def _per_patient(amount: Estimate | None, patients: Estimate) -> Estimate | None:
    return None if amount is None or not patients.value else Estimate(amount.value / patients.value, amount.basis)
