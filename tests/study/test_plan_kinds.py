"""The plan of every kind of model: against the run that it foresaw, or by arithmetic where no run is cheap."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gliobench.models.base.prediction import Question
from gliobench.models.vision.segmenter import PromptableSegmenter
from gliobench.study.asking.answers import read_list
from gliobench.study.config.study import read_study
from gliobench.study.plan.counts import NO_COHORT
from gliobench.study.plan.estimates import Estimate, Plan, Step
from gliobench.study.plan.families import weights_of
from gliobench.study.plan.make import make_plan
from gliobench.study.plan.unet import expected_unet, unet_size, windows
from gliobench.study.plan.vision import named_config, segmenter_side, size_of
from gliobench.study.run import learn
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context

STUDY = """\
name: kinds
grid: {shape: [24, 32, 32]}
split: {scheme: cross-validation, folds: 3, seed: 1}
slices: {planes: [axial, coronal], select: brain, every: 3}
tasks: [grade, box, mask]
models:
  - {kind: segmenter, name: sam-untrained, checkpoint: tiny-sam, from: truth}
  - {kind: segmenter, name: blob-to-sam-untrained, checkpoint: tiny-sam, from: flair-blob, prompt: point}
  - {kind: baseline, name: flair-blob}
  - {kind: encoder, name: clip-untrained, checkpoint: tiny-clip, every: 4}
  - {kind: encoder, name: clip-slices-untrained, checkpoint: tiny-clip, every: 4, pool: slices}
  - {kind: encoder, name: clip-tumour-untrained, checkpoint: tiny-clip, every: 2, select: oracle, plane: sagittal}
  - {kind: classical, name: radiomics}
  - {kind: network, name: classifier, network: grade-classifier, train: {epochs: 1}}
  - {kind: ensemble, name: both, of: [radiomics, classifier]}
"""
Ran = tuple[Context, Plan, Plan, dict[str, int]]
SEGMENTERS = ("sam-untrained", "blob-to-sam-untrained")
ENCODERS = ("clip-untrained", "clip-slices-untrained", "clip-tumour-untrained")


def step(plan: Plan, model: str, stage: str = "predict") -> Step:
    (found,) = (one for one in plan.steps if (one.stage, one.model) == (stage, model))
    return found


def value(amount: Estimate | None) -> float:
    assert amount is not None
    return amount.value


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Ran:
    """A study: its plan once its patients are prepared, its plan when it has been run, and the images encoded then."""
    out = tmp_path_factory.mktemp("kinds")
    (out / "study.yaml").write_text(STUDY)

    def context() -> Context:
        return make_context(read_study(out / "study.yaml"), cohort=phantom_cohort, out=out / "run")

    encoded = dict.fromkeys(SEGMENTERS, 0)
    own = PromptableSegmenter._image

    def counted(self: PromptableSegmenter, question: Question) -> Image.Image:
        encoded[self.name] += 1
        return own(self, question)

    prepare(context())
    split(context())
    before = make_plan(context())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PromptableSegmenter, "_image", counted)
        patch.setattr("gliobench.models.classical.grade.TREES", 20)
        learn(context())
        predict(context())
    return context(), before, make_plan(context()), encoded


def test_questions_are_those_that_a_run_asks(runs: Ran) -> None:
    context, before, after, _ = runs
    for config in context.study.models:
        folder = context.folder
        lists = (folder.asked(config.name), folder.repeated(config.name), folder.validation(config.name))
        asked = sum(len(read_list(path)) for path in lists)
        for plan in (before, after):
            assert (config.name, step(plan, config.name).questions) == (config.name, Estimate(asked, "counted"))
    assert not before.missing


def test_segmenters_encode_the_slices_in_which_they_are_pointed(runs: Ran) -> None:
    _, before, after, encoded = runs
    asked = value(step(before, "sam-untrained").questions)
    assert encoded["sam-untrained"] < asked, "some brain slices have no tumour"
    assert step(before, "sam-untrained").images == Estimate(encoded["sam-untrained"], "counted")
    # Before the blob has answered, every slice may need an image; afterwards its answers are there.
    assert step(before, "blob-to-sam-untrained").images == Estimate(asked, "estimate")
    assert step(after, "blob-to-sam-untrained").images == Estimate(encoded["blob-to-sam-untrained"], "measured")


def test_encoders_encode_a_patient_once_for_all_folds_and_probes(runs: Ran) -> None:
    context, before, _, _ = runs
    kept = sorted(len(np.load(path)) for path in context.folder.features.glob("*/*.npy"))
    assert len(kept) == 20, "ten patients, seen in two ways"
    assert value(step(before, "clip-slices-untrained").images) == 0
    assert sum(value(step(before, name).images) for name in ENCODERS) == sum(kept)
    room = sum(one.gib.value for one in before.files if one.what.startswith("features of"))
    assert room * 2**30 == 64 * 4 * sum(kept)


def test_members_that_answer_together_answer_again(runs: Ran) -> None:
    _, before, after, _ = runs
    members = [step(before, name) for name in ("radiomics", "classifier")]
    both = step(before, "both")
    assert value(both.hours_here) == pytest.approx(sum(value(one.hours_here) for one in members))
    assert both.gpu_memory_gib == members[1].gpu_memory_gib
    hours = step(after, "both").hours_here
    assert hours is not None
    assert hours.basis == "measured"


NNUNET = """\
name: foreseen
grid: {shape: [128, 128, 128]}
split: {test_share: 0.25, folds: 5, fold: all}
tasks: [mask]
models:
  - {kind: nnunet, name: nnunet, regions: brats, epochs: 10, python: ./no-such-python}
"""


def test_nnunets_network_is_the_one_that_it_plans() -> None:
    """Operations, maps and (but for biases) parameters by dynamic-network-architectures 0.4.4."""
    net = expected_unet((128, 128, 128), 300, channels=4, classes=3, planner="ExperimentPlanner")
    size = unet_size(net, 4, 3)
    assert (net.patch, net.batch, net.features) == ((128, 128, 128), 2, (32, 64, 128, 256, 320, 320))
    assert (size.operations, size.maps) == (965_469_011_968, 452_796_416)
    assert size.parameters == pytest.approx(31_186_671, rel=1e-4)
    odd = expected_unet((95, 128, 128), 300, channels=4, classes=3, planner="ExperimentPlanner")
    assert (odd.patch, odd.batch) == ((96, 128, 128), 3)
    assert unet_size(odd, 4, 3).operations == 724_632_600_576


def test_windows_overlap_by_half() -> None:
    assert windows((95, 128, 128), (96, 128, 128)) == 1
    assert windows((155, 240, 240), (128, 128, 128)) == 2 * 3 * 3  # steps of 64: 0, 64 (27 is enough); 0, 64, 128
    assert windows((20, 64, 96), (64, 64)) == 20 * 1 * 2


def test_nnunet_by_the_workers_arithmetic(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(NNUNET)
    context = make_context(read_study(tmp_path / "study.yaml"), out=tmp_path / "out", nowhere=NO_COHORT)
    plan = make_plan(context, patients=80, there="a100")
    # 20 tested, 60 in five folds of 12. An epoch: 250 steps at three times forward and 50 forward, two patches each;
    # validation and answers: one window, mirrored eight ways. 48e12 operations a second.
    once = 965_469_011_968
    seconds = 5 * (10 * (3 * 250 + 50) * 2 + 12 * 8) * once / 48e12
    assert value(step(plan, "nnunet", "train").patients) == 48
    assert value(step(plan, "nnunet", "train").hours_there) == pytest.approx(seconds / 3600)
    assert value(step(plan, "nnunet").hours_there) == pytest.approx(20 * 5 * 8 * once / 48e12 / 3600)
    assert value(step(plan, "nnunet").questions) == 20
    room = {one.what: one.gib.value * 2**30 for one in plan.files}
    assert room["nnU-Net's patients of nnunet"] == pytest.approx(5 * 60 * 128**3 * (5 + 16 + 1))
    assert room["weights and state of nnunet"] == pytest.approx(5 * 2 * 2 * 4 * 31.2e6, rel=0.01)
    assert any("no-such-python cannot be started" in one.problem for one in plan.missing)


@pytest.mark.parametrize(
    ("name", "parameters"),  # as published, in millions; of SAM 2 without its memory, of CLIP and SigLIP the tower
    [
        ("facebook/sam-vit-base", 93.7),
        ("facebook/sam-vit-huge", 641),
        ("facebook/sam2.1-hiera-large", 217),
        ("openai/clip-vit-large-patch14-336", 303),
        ("facebook/dinov2-base", 86),
        ("facebook/dinov3-vitl16-pretrain", 303),
    ],
)
def test_a_checkpoint_that_is_not_here_is_known_by_its_name(name: str, parameters: float) -> None:
    config = named_config(name)
    assert config is not None
    points = "sam" in name
    size = size_of(config, segmenter_side(config) if points else config.image_size, 1, "box" if points else None)
    assert size.parameters / 1e6 == pytest.approx(parameters, rel=0.01)
    assert size.alive > 0


def test_memory_alive_by_hand() -> None:
    """Two tensors of 3 x 5 are alive together; a view of the second is free, and the third comes when one is gone."""
    import torch

    from gliobench.study.plan.alive import Alive

    with torch.device("meta"), Alive() as alive:
        first = torch.empty(3, 5)
        second = torch.empty(3, 5).view(5, 3)
        del first
        third = torch.empty(2)
    assert (second.numel(), third.numel()) == (15, 2)
    assert alive.most == 2 * 15 * 4


@pytest.mark.parametrize("content", [b"", b'{"keys": 3, "content": [1]}\n', b"\x02\0\0\0\0\0\0\0[]", b"\xff" * 300])
def test_damaged_weights_are_estimated_by_the_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    found = weights_of("llama-3b", tmp_path)
    assert found is not None
    assert (found.parameters, found.counted) == (3e9, False)
