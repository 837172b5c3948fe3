"""Networks of a study: fold by fold, answering together, learnt on from others, and chosen on validation alone."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from tests.study.scored import run_to_scores

from gliobench.models.base.errors import ModelError
from gliobench.models.networks.description import read_description
from gliobench.study.config.study import StudyError, read_study, with_fold
from gliobench.study.plan.make import make_plan
from gliobench.study.run import run_stages
from gliobench.study.showing.export import export_masks
from gliobench.study.stages.predict import predict
from gliobench.study.stages.train import train
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.folder import StudyFolder
from gliobench.study.state.progress import Silent

CROSSED = """\
name: crossed
grid: {shape: [24, 32, 32]}
split: {scheme: cross-validation, folds: 2, validation_share: 0.3}
slices: {every: 6}
tasks: [mask]
models:
  - {kind: baseline, name: flair-blob}
  - kind: network
    name: segmenter
    network: mask-segmenter
    sweep:
      - {epochs: 1, learning_rate: 1.0e-9}
      - {epochs: 6, learning_rate: 3.0e-3}
"""


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    """A finished cross-validation with a sweep over two choices, one of which learns nothing."""
    folder = tmp_path_factory.mktemp("crossed")
    (folder / "study.yaml").write_text(CROSSED)
    context = make_context(read_study(folder / "study.yaml"), cohort=phantom_cohort, out=folder / "run")
    run_to_scores(context)
    return context


def test_every_patient_is_answered_once_by_a_network_that_never_saw_him(crossed: Context) -> None:
    answered: list[str] = []
    for number, round in enumerate(crossed.rounds):
        learnt = set(read_description(crossed.folder.network("segmenter", number))["trained_on"])
        assert not learnt & set(round.test)
        answered += round.test
    assert sorted(answered) == sorted(crossed.subjects)
    table = pd.read_parquet(crossed.folder.scores / "per_subject.parquet")
    dice = table[(table["model"] == "segmenter") & (table["task"] == "mask") & (table["metric"] == "dice")]
    assert sorted(dice["subject"]) == sorted(crossed.subjects)


def test_the_sweep_keeps_what_is_best_on_validation(crossed: Context) -> None:
    for number in range(2):
        out = crossed.folder.network("segmenter", number)
        sweep = json.loads((out / "sweep.json").read_text())
        assert sweep["chosen"] == 1
        assert sweep["validation_metrics"][1] > sweep["validation_metrics"][0]
        assert read_description(out)["settings"]["learning_rate"] == 3e-3


def test_masks_open_over_the_original_scan(crossed: Context, phantom_cohort: Path, tmp_path: Path) -> None:
    paths = export_masks(crossed, tmp_path, ["segmenter"])
    assert len(paths) == len(crossed.subjects)
    for path in paths[:2]:
        id = path.name.removesuffix(".nii.gz")
        scan = nib.load(next(phantom_cohort.glob(f"{id}/*flair.nii.gz")))
        mask = nib.load(path)
        assert mask.shape == scan.shape
        assert np.allclose(mask.affine, scan.affine)


def test_networks_from_elsewhere_refuse_their_own_patients(
    crossed: Context, phantom_cohort: Path, tmp_path: Path
) -> None:
    text = CROSSED.split("    sweep:")[0] + f"    weights: {crossed.folder.root / 'networks' / 'segmenter'}\n"
    (tmp_path / "study.yaml").write_text(
        text.replace("scheme: cross-validation, folds: 2", "test_share: 0.3, folds: 2")
    )
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=phantom_cohort, out=tmp_path / "run")
    with pytest.raises(ModelError, match="leakage"):
        run_stages(context)


def test_another_fold_can_be_chosen_on_the_command_line(crossed: Context) -> None:
    one = replace(crossed, study=with_fold(crossed.study, "1"), folder=StudyFolder(crossed.folder.root))
    assert list(one.folds) == [1]
    assert list(one.tested) == list(crossed.rounds[1].test)
    for wrong in ("7", "two"):
        with pytest.raises(ValueError, match="expected all, or a number"):
            with_fold(crossed.study, wrong)


def test_learning_on_from_a_network_of_another_kind_is_refused(crossed: Context, tmp_path: Path) -> None:
    start = crossed.folder.network("segmenter", 0)
    text = CROSSED.split("    sweep:")[0].replace("mask-segmenter", "dynunet") + f"    start: {start}\n"
    (tmp_path / "study.yaml").write_text(text)
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=crossed.cohort, out=crossed.folder.root)
    with pytest.raises(StageError, match=r"mask-segmenter .*dynunet"):
        train(context)


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str) -> None:
        self.sentences.append(text)


def own(crossed: Context, folder: Path, entry: str) -> Context:
    """A study with one network on the split of the other one."""
    (folder / "study.yaml").write_text(CROSSED.split("  - kind: network")[0] + f"  - {{kind: network, {entry}}}\n")
    study = read_study(folder / "study.yaml")
    return make_context(study, cohort=crossed.cohort, out=crossed.folder.root, voice=Heard())


def test_a_start_that_knows_tested_patients_is_refused_before_anything_is_trained(
    crossed: Context, tmp_path: Path
) -> None:
    start = crossed.folder.network("segmenter", 0)
    entry = f"name: on-from, network: mask-segmenter, start: {start}, train: {{epochs: 1}}"
    context = own(crossed, tmp_path, entry)
    tested = crossed.rounds[1].test  # of whom the network of fold 0 has seen all
    with pytest.raises(StageError, match=rf" {len(tested)} .*{tested[0]}.*leakage"):
        train(context)
    assert not context.folder.network("on-from", 0).exists()
    (missing,) = (one for one in make_plan(context).missing if one.concerns == "on-from")
    assert f" {len(tested)} " in missing.problem
    assert tested[0] in missing.problem

    first = replace(context, study=with_fold(context.study, "0"))
    train(first)
    known = f" {len(crossed.rounds[0].validation)} of the {len(crossed.rounds[0].validation)} validation patients"
    assert isinstance(first.voice, Heard)
    assert any(known in sentence for sentence in first.voice.sentences)
    assert any(known in sentence for sentence in make_plan(first).assumptions)


def beyond_bounds(context: Context) -> Context:
    """A study file takes no learning rate above 10, and only one far beyond is sure to diverge."""
    *others, config = context.study.models
    sweep = [
        one.model_copy(update={"learning_rate": 1e18}) if one.learning_rate == 10 else one
        for one in getattr(config, "sweep", ())
    ]
    models = (*others, config.model_copy(update={"sweep": tuple(sweep)}))
    return replace(context, study=context.study.model_copy(update={"models": models}))


def test_a_choice_that_diverges_is_not_chosen(crossed: Context, tmp_path: Path) -> None:
    diverging = "{epochs: 1, learning_rate: 10}"
    context = own(crossed, tmp_path, f"name: swept, network: mask-segmenter, sweep: [{diverging}, {{epochs: 1}}]")
    context = beyond_bounds(context)
    train(replace(context, study=with_fold(context.study, "0")))
    sweep = json.loads((context.folder.network("swept", 0) / "sweep.json").read_text())
    assert sweep["chosen"] == 1
    assert sweep["validation_metrics"][0] is None
    context = own(crossed, tmp_path, f"name: lost, network: mask-segmenter, sweep: [{diverging}, {diverging}]")
    context = beyond_bounds(context)
    with pytest.raises(StageError, match=r"lost-fold-0: .*learning_rate"):
        train(context)


def test_a_network_that_is_not_trained_is_named_with_its_fold(crossed: Context, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(CROSSED.replace("name: segmenter", "name: other"))
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=crossed.cohort, out=crossed.folder.root)
    with pytest.raises(StageError, match=r"other-fold-0 .*`gliobench train --model other`"):
        predict(context, ["other"])


def test_the_whole_way_trains_nnunet_too(tmp_path: Path, phantom_cohort: Path) -> None:
    entry = "  - {kind: nnunet, name: nnunet, python: no/python}\n"
    (tmp_path / "study.yaml").write_text(CROSSED.split("  - kind: network")[0] + entry)
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=phantom_cohort, out=tmp_path / "run")
    with pytest.raises(StudyError, match=r"models.*python: .*no/python .* is not there"):
        run_stages(context)
