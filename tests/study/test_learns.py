"""A small training of a real network on phantoms learns something that holds on patients it has not seen."""

from pathlib import Path

import pandas as pd
from tests.study.scored import run_to_scores

from gliobench.study.config.study import read_study
from gliobench.study.state.context import make_context

STUDY = """\
name: learns
grid: {shape: [40, 48, 40]}
split: {test_share: 0.3, folds: 3, seed: 0}
slices: {every: 6}
tasks: [mask]
models:
  - {kind: baseline, name: empty}
  - kind: network
    name: dynunet
    network: dynunet
    train: {epochs: 10, patience: 10, validate_every: 5, learning_rate: 3.0e-3}
"""


def test_dynunet_finds_tumours_of_phantoms_it_never_saw(phantom_cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=phantom_cohort, out=tmp_path / "run")
    run_to_scores(context)
    table = pd.read_parquet(context.folder.scores / "summary.parquet").set_index(["model", "task", "plane", "metric"])
    assert table.loc[("dynunet", "mask", "volume", "dice"), "value"] > 0.7
    assert table.loc[("dynunet", "mask", "volume", "dice"), "n_subjects"] == 3
    assert table.loc[("empty", "mask", "volume", "dice"), "value"] == 0
