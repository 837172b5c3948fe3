"""Money: hours and tokens of a run at the prices of its study file, against the stamps and records themselves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.models.servers import Answer, completion, serving

from gliobench.integrity import read_stamp, write_stamp
from gliobench.report.contents import Money
from gliobench.study.asking.answers import current_answers
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.parts.prices import PricesConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.plan.estimates import Estimate, Step
from gliobench.study.plan.hardware import GPUS, Hardware
from gliobench.study.plan.make import make_plan
from gliobench.study.plan.money import bills
from gliobench.study.showing.costs import costs
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context

PRICES = PricesConfig(currency="EUR", hour=0.36, gpu_hour=3.6)  # 0.0001 and 0.001 a second
SERVED = """\
name: served
grid: {{shape: [24, 32, 32]}}
split: {{test_share: 0.4, folds: 2, seed: 1}}
slices: {{every: 5}}
tasks: [grade]
{prices}
models:
  - {{kind: openai, name: remote, base_url: {address}, model: served{own}}}
"""


def priced(study: Study, prices: PricesConfig | None) -> Study:
    return study.model_copy(update={"prices": prices})


@pytest.fixture(scope="module")
def run(finished_run: Path, small_study: Path, phantom_cohort: Path) -> Context:
    study = priced(read_study(small_study), PRICES)
    return make_context(study, cohort=phantom_cohort, out=finished_run)


def trained(context: Context) -> str:
    return next(config.name for config in context.study.models if config.verb == "train")


def test_hours_cost_what_the_stamps_say(run: Context) -> None:
    name = trained(run)
    stamps = [read_stamp(run.folder.stamp(Stage("train", name, fold))) for fold in run.folds]
    records = current_answers(run, name)
    learning = sum(stamp.seconds for stamp in stamps if stamp) * 0.0001
    answering = sum(record.seconds or 0 for record in records) * 0.0001
    patients = len({record.subject for record in records})
    found = costs(run, [name])[name].money
    assert found is not None
    assert (found.currency, found.learning) == ("EUR", pytest.approx(learning))
    assert (found.answering, found.patient) == (pytest.approx(answering), pytest.approx(answering / patients))


def test_a_model_that_is_fitted_when_it_is_asked_has_the_rest_of_its_stage_as_training(run: Context) -> None:
    stamp = read_stamp(run.folder.stamp(Stage("predict", "radiomics")))
    assert stamp is not None
    answering = sum(record.seconds or 0 for record in current_answers(run, "radiomics"))
    found = costs(run, ["radiomics"])["radiomics"]
    assert found.learning_s == pytest.approx(stamp.seconds - answering)
    assert found.money is not None
    assert found.money.learning == pytest.approx((stamp.seconds - answering) * 0.0001)


def test_without_prices_nothing_is_said_of_money(run: Context) -> None:
    silent = replace(run, study=priced(run.study, None))
    assert all(cost.money is None for cost in costs(silent, [config.name for config in run.study.models]).values())
    assert "prices" not in silent.study.model_dump()
    assert make_plan(silent).bills == ()


def test_a_price_that_is_not_given_is_not_known(run: Context) -> None:
    unknown = replace(run, study=priced(run.study, PricesConfig(currency="EUR", gpu_hour=3.6)))
    name = trained(run)  # on a CPU
    assert costs(unknown, [name])[name].money == Money("EUR", None, None, None)


def test_answers_of_an_earlier_stage_have_no_known_hardware(run: Context) -> None:
    """The stage was done again with every answer cached: it took less time than they did, and on another device."""
    name = trained(run)
    path = run.folder.stamp(Stage("predict", name))
    before = read_stamp(path)
    assert before is not None
    try:
        write_stamp(path, replace(before, seconds=0.0))
        found = costs(run, [name])[name].money
    finally:
        write_stamp(path, before)
    assert found is not None
    assert found.answering is None


@pytest.mark.parametrize(
    ("own", "prices", "each"),
    [
        ("", "prices: {currency: EUR, million_input_tokens: 2, million_output_tokens: 8}", 232e-6),
        (", prices: {prompt: 1, answer: 5, currency: EUR}", "prices: {currency: EUR, hour: 1}", 120e-6),
        ("", "prices: {currency: EUR, hour: 1}", None),
    ],
)
def test_tokens_cost_what_the_server_counted(
    tmp_path: Path, phantom_cohort: Path, own: str, prices: str, each: float | None
) -> None:
    path = tmp_path / "served.yaml"

    def choose(number: int, body: dict[str, Any]) -> Answer:
        return Answer(completion("Choice: 1"))  # 100 tokens of the prompt, 4 of the answer

    with serving(choose) as (address, _):
        path.write_text(SERVED.format(address=address, own=own, prices=prices))
        context = make_context(read_study(path), cohort=phantom_cohort, out=tmp_path / "out")
        prepare(context)
        split(context)
        predict(context)
    records = current_answers(context, "remote")
    found = costs(context, ["remote"])["remote"].money
    assert found is not None
    assert found.learning == 0
    if each is None:
        assert (found.answering, found.patient) == (None, None)
    else:
        assert found.answering == pytest.approx(each * len(records))
        assert found.patient == pytest.approx(each * len(records) / len({one.subject for one in records}))


def test_two_currencies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "served.yaml"
    own = ", prices: {prompt: 1, answer: 5}"
    path.write_text(SERVED.format(address="http://127.0.0.1:1/v1", own=own, prices="prices: {currency: EUR, hour: 1}"))
    with pytest.raises(StudyError, match=r"remote: its prices are in USD, those of the study in EUR"):
        read_study(path)


@pytest.mark.parametrize(
    "prices", ["{currency: EUR, million_input_tokens: 2}", "{hour: 1}", "{currency: EUR, hour: -1}"]
)
def test_prices_that_cannot_be_meant_are_refused(tmp_path: Path, prices: str) -> None:
    path = tmp_path / "served.yaml"
    path.write_text(SERVED.format(address="http://127.0.0.1:1/v1", own="", prices=f"prices: {prices}"))
    with pytest.raises(StudyError, match="prices"):
        read_study(path)


def test_a_plan_bills_hours_by_the_hardware_and_tokens_by_themselves() -> None:
    patients, hours = Estimate(4, "counted"), Estimate(2, "measured")
    steps = [
        Step("prepare", "", patients, hours_here=hours),
        Step("train", "net", patients, gpu_memory_gib=Estimate(1, "estimate"), hours_here=hours, hours_there=hours),
        Step("predict", "blob", patients, hours_here=hours),
        Step("predict", "remote", patients, hours_here=hours, money=Estimate(6, "estimate"), currency="EUR"),
        Step("predict", "unpriced", patients, hours_here=hours),
    ]
    by_tokens = frozenset({"remote", "unpriced"})

    def amounts(here: Hardware) -> dict[str, list[float | None]]:
        found = bills(steps, PRICES, by_tokens, here)
        return {
            one.model: [
                amount and round(amount.value, 9)
                for amount in (one.here, one.there, one.patient_here, one.patient_there)
            ]
            for one in found
        }

    processors = Hardware("2 processors", 1, 1, 1, 0)
    assert amounts(processors) == {
        "net": [0.72, 7.2, None, None],
        "blob": [0.72, None, 0.18, None],
        "remote": [6, 6, 1.5, 1.5],
    }
    assert amounts(GPUS["a100"])["net"] == [7.2, 7.2, None, None]
    assert amounts(GPUS["a100"])["blob"] == [0.72, None, 0.18, None]
