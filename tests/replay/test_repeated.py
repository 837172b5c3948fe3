"""Answers to one input that somebody holds: agreement beside the figures, which are of the first answers alone."""

import json
from pathlib import Path

import pandas as pd
import pytest

from gliobench.replay.as_json import as_json
from gliobench.replay.outcome import Outcome, replay
from gliobench.replay.printing import lines
from gliobench.replay.tables import write_tables
from gliobench.study.config.replay import read_replication
from gliobench.study.replication.run import run_replication
from gliobench.study.state.progress import Silent

# The reference study, section 4.2.4: one image of each grade, 95 times; 95 and 77 times HGG.
SAID = {"P1": ("HGG", 95), "P2": ("LGG", 77)}


def write_repeats(folder: Path) -> Path:
    rows = [
        {"subject": subject, "slice": 31, "repeat": repeat, "truth": truth, "answer": f"Choice: {int(repeat < hgg)}"}
        for subject, (truth, hgg) in SAID.items()
        for repeat in range(95)
    ]
    path = folder / "asked-again.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    return replay(write_repeats(tmp_path), "grade", "both")


def test_agreement_entropy_and_flip_rate(outcome: Outcome) -> None:
    found = as_json(outcome)
    assert (found["standard"]["n_asked"], found["published"]["n_asked"]) == (2, 2)  # the first answers alone
    again = found["consistency"]
    assert (again["n_inputs"], again["n_asked"], again["n_answered"]) == (2, 190, 190)
    values = {name: figure["value"] for name, figure in again["metrics"].items()}
    # Means of 1 and 77/95; of 1 and (77 * 76 + 18 * 17) / (95 * 94); of 0 and the entropy of (77/95, 18/95) = 0.7004.
    assert values["agreement"] == pytest.approx((1 + 77 / 95) / 2)
    assert values["pairwise_agreement"] == pytest.approx((1 + 6158 / 8930) / 2)
    assert values["entropy_bits"] == pytest.approx(0.7004 / 2, abs=5e-5)
    assert values["flip_rate"] == pytest.approx(18 / 95 / 2)
    assert any("190 answers to 2 inputs" in line for line in lines(outcome))


def test_nothing_is_said_of_inputs_answered_once(tmp_path: Path) -> None:
    path = tmp_path / "once.jsonl"
    path.write_text('{"subject": "A", "truth": 1, "answer": "Choice: 1"}')
    assert "consistency" not in as_json(replay(path, "grade", "standard"))


def test_tables_and_report(outcome: Outcome, tmp_path: Path) -> None:
    write_tables(outcome, tmp_path / "run")
    answers = pd.read_parquet(tmp_path / "run" / "scores" / "consistency_answers.parquet")
    assert list(answers["count"]) == [95, 77, 18]
    study = tmp_path / "study.yaml"
    study.write_text(
        "name: r\ncohort: x\nreplay:\n"
        "  - {name: a, task: grade, answers: asked-again.jsonl, sampling: 'temperature 1.5, min_p 0.1'}\n"
    )
    page = run_replication(read_replication(study), tmp_path / "out", Silent()).read_text(encoding="utf-8")
    assert "77 HGG, 18 LGG" in page
    assert (
        page.count("temperature 1.5, min_p 0.1") == 3
    )  # beside the table, beside the plot, and where the answers are from
