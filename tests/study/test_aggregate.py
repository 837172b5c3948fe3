"""Slices become a grade as validation patients taught: they are asked too, teach, and are never scored."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models.servers import Answer, completion, serving

from gliobench.grid.slices import grey_slice
from gliobench.models.base import calibration
from gliobench.models.base.operating_point import OperatingPoint, calibrated
from gliobench.models.server.png import png_url
from gliobench.records.store import RecordStore
from gliobench.study.asking.aggregate import aggregation_notes, aggregations
from gliobench.study.asking.answers import current_answers, validation_answers
from gliobench.study.asking.questions import asked_slices
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_scores, score
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, StageError, make_context

STUDY = """\
name: gathered
grid: {{shape: [24, 32, 32]}}
split: {{test_share: 0.3, folds: 2, fold: 0, seed: 1}}
slices: {{every: 4}}
tasks: [grade]
models:
  - {{kind: openai, name: remote, base_url: "{address}", model: served, logprobs: true, attempts: 1, aggregate: {how}}}
"""


@dataclass
class Knowing:
    """Says HGG with the probability that is written down for the image; 0.5 for any other."""

    chances: dict[str, float] = field(default_factory=dict)

    def __call__(self, number: int, body: dict[str, Any]) -> Answer:
        (url,) = (
            config["image_url"]["url"] for config in body["messages"][0]["content"] if config["type"] == "image_url"
        )
        chance = self.chances.get(url, 0.5)
        top = [{"token": "1", "logprob": math.log(chance)}, {"token": "0", "logprob": math.log(1 - chance)}]
        place = {"token": str(int(chance >= 0.5)), "logprob": 0.0, "top_logprobs": top}
        return Answer(completion(f"{place['token']}", logprobs={"content": [place]}))


def make(folder: Path, cohort: Path, address: str, how: str) -> Context:
    path = folder / "study.yaml"
    path.write_text(STUDY.format(address=address, how=how))
    return make_context(read_study(path), cohort=cohort, out=folder / "out")


def chance(context: Context, id: str) -> float:
    """High for HGG, low for LGG, and a little different for everybody."""
    place = list(context.subjects).index(id)
    return (0.55 if context.subjects[id].grade else 0.35) + 0.01 * place


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    """A study whose model was asked about test and validation patients."""
    server = Knowing()
    with serving(server) as (address, _):
        context = make(tmp_path_factory.mktemp("gathered"), phantom_cohort, address, "learned")
        prepare(context)
        split(context)
        for id, subject in context.subjects.items():
            for index in asked_slices(context, "axial", [id])[id]:
                server.chances[png_url(grey_slice(subject, "flair", "axial", index))] = chance(context, id)
        predict(context)
    return context


def test_validation_patients_are_asked_and_never_counted(asked: Context) -> None:
    (round,) = asked.rounds
    test, taught = current_answers(asked, "remote"), validation_answers(asked, "remote")
    assert {record.subject for record in test} == set(round.test)
    assert {record.subject for record in taught} == set(round.validation)
    assert len(test) + len(taught) == len(list(RecordStore(asked.folder.answers("remote")).read()))
    score(asked)
    scores = read_scores(asked)
    assert set(scores.votes["subject"]) == set(round.test)
    assert scores.summary["n_asked"].max() == len(test)


def test_with_few_validation_patients_nothing_is_learnt_and_it_is_said(asked: Context) -> None:
    (round,) = asked.rounds
    assert aggregations(asked, round)["remote", "axial"].name == "mean-probability"
    (note,) = aggregation_notes(asked)
    assert note.startswith("remote, axial: a patient's grade by mean-probability, not learned: ")
    assert note.endswith("5 of each grade are needed.")
    score(asked)
    votes = read_scores(asked).votes
    for row in votes.itertuples():
        assert row.score == pytest.approx(chance(asked, row.subject))
        assert row.predicted == (row.score >= 0.5)
    assert set(votes["aggregate"]) == {"mean-probability"}


def test_with_enough_it_is_trained_on_their_mean_probabilities(asked: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "ENOUGH", 1)
    (round,) = asked.rounds
    grades = np.array([asked.subjects[id].grade == 1 for id in round.validation])
    assert 0 < grades.sum() < len(grades), "both grades among the validation patients"
    expected, _ = calibration.learn_operating_point(np.array([chance(asked, id) for id in round.validation]), grades)
    found = aggregations(asked, round)["remote", "axial"]
    assert (found.name, found.by) == ("learned", "scores")
    for key in ("slope", "offset", "threshold"):
        assert getattr(found.decision, key) == pytest.approx(getattr(expected, key), rel=1e-6)
    asked.folder.stamp(Stage("score")).unlink(missing_ok=True)
    score(asked)
    for row in read_scores(asked).votes.itertuples():
        decision = OperatingPoint(expected.threshold, slope=expected.slope, offset=expected.offset)
        assert row.score == pytest.approx(calibrated(chance(asked, row.subject), decision))
    asked.folder.stamp(Stage("score")).unlink()


def test_another_aggregation_asks_nothing_again(asked: Context, phantom_cohort: Path) -> None:
    address = asked.study.models[0].base_url
    folder = asked.folder.root.parent
    before = list(RecordStore(asked.folder.answers("remote")).read())
    context = make(folder, phantom_cohort, address, "majority")
    predict(context)
    assert list(RecordStore(context.folder.answers("remote")).read()) == before
    score(context)
    assert set(read_scores(context).votes["aggregate"]) == {"majority"}


def test_what_cannot_be_gathered_is_refused(tmp_path: Path, asked: Context) -> None:
    path = tmp_path / "study.yaml"
    text = STUDY.format(address="http://127.0.0.1:1/v1", how="mean-probability")
    path.write_text(text.replace("logprobs: true, ", ""))
    with pytest.raises(StudyError, match=r"aggregate: mean-probability needs a probability with each slice"):
        read_study(path)
    learned = text.replace("mean-probability", "learned").replace("{every: 4}", "{select: predicted, by: remote}")
    path.write_text(learned)
    with pytest.raises(StudyError, match="finds slices of test patients only"):
        read_study(path)


def test_mean_probability_without_any_probability_says_what_to_do(
    tmp_path: Path, phantom_cohort: Path, asked: Context
) -> None:
    with serving(lambda number, body: Answer(completion("1"))) as (address, _):
        context = make(tmp_path, phantom_cohort, address, "mean-probability")
        silent = context.study.models[0].model_copy(update={"logprobs": False})
        context = make_context(
            context.study.model_copy(update={"models": (silent,)}),
            cohort=phantom_cohort,
            out=tmp_path / "out",
            store=asked.store,
        )
        prepare(context)
        split(context)
        predict(context)
    with pytest.raises(StageError, match="remote: aggregate: mean-probability needs a probability"):
        score(context)
