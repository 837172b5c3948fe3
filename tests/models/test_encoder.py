"""Frozen encoders with a linear probe: the tower's own features, and a regression that learns what is in them."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from transformers import (
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import write_sealed
from gliobench.models.base.calibration import learn_operating_point
from gliobench.models.base.errors import ModelError
from gliobench.models.base.operating_point import calibrated
from gliobench.models.base.prediction import Question
from gliobench.models.tiny import write_tiny_clip, write_tiny_sam
from gliobench.models.vision.features import Look, VisionEncoder
from gliobench.models.vision.probe import STRENGTHS, fit_probe
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import Grade

AFFINE = np.eye(4)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny-clip")


def patient(id: str, grade: int | None, enhancing: int = 0) -> PreparedSubject:
    """A (10, 20, 12) brain of noise around 100 that begins at slice 2, with a block in which t1ce is brighter."""
    random = np.random.default_rng([*id.encode()])
    image = random.normal(100, 8, (4, 10, 20, 12)).clip(1, 255)
    image[:, :2] = 0
    labels = np.zeros((10, 20, 12), np.uint8)
    labels[3:9, 5:15, 2:10] = 1
    image[GLIOMA.names.index("t1ce")][labels > 0] += enhancing
    grey = image.clip(0, 255).astype(np.uint8)
    return PreparedSubject(id, grade, grey, labels, AFFINE, AFFINE, (12, 20, 10), False, f"{id}-{enhancing}")


def patients(count: int, name: str) -> list[PreparedSubject]:
    return [patient(f"{name}{n}", n % 2, 90 * (n % 2)) for n in range(count)]


def plain_images(subject: PreparedSubject, indices: range) -> np.ndarray:
    """(slices, 3, 64, 64): t1ce, t2 and flair in the middle of a black square, brought to 64 px, CLIP's colours."""
    mean, deviation = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]  # Radford et al. 2021
    images = []
    for index in indices:
        square = np.zeros((20, 20, 3), np.uint8)
        for colour, name in enumerate(("t1ce", "t2", "flair")):
            square[:, 4:16, colour] = subject.image[GLIOMA.names.index(name), index]
        large = np.asarray(Image.fromarray(square).resize((64, 64), Image.Resampling.BICUBIC))
        images.append(((large / 255 - mean) / deviation).transpose(2, 0, 1))
    return np.array(images, np.float32)


def test_features_are_the_towers_pooled_output_for_every_nth_slice_with_brain_nothing_cropped(clip: Path) -> None:
    subject = patient("A", 1)
    encoder = VisionEncoder(clip, Look(every=3), batch_size=2)
    with torch.inference_mode():
        tower = CLIPModel.from_pretrained(clip).eval().vision_model
        expected = tower(torch.from_numpy(plain_images(subject, range(2, 10, 3)))).pooler_output.numpy()
    found = encoder.features(subject)
    assert found.shape == (3, 64)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found, axis=0).max() > 1e-3, "every slice has features of its own"


def test_the_truth_is_not_looked_at_unless_the_study_says_so(clip: Path) -> None:
    subject = patient("A", 1, 90)
    blind = replace(subject, labels=None, grade=None)
    brain = VisionEncoder(clip, Look(every=1))
    np.testing.assert_array_equal(brain.features(subject), brain.features(blind))
    oracle = VisionEncoder(clip, Look(every=1, select="oracle"))
    np.testing.assert_allclose(oracle.features(subject), brain.features(subject)[1:7], atol=1e-6)  # slices 3 to 8
    assert len(oracle.features(blind)) == 0
    assert len(brain.features(replace(subject, image=np.zeros_like(subject.image)))) == 0


def test_features_are_kept_by_what_decides_them(clip: Path, tmp_path: Path) -> None:
    subject = patient("A", 1)
    first = VisionEncoder(clip, Look(), cache=tmp_path).features(subject)
    (kept,) = tmp_path.rglob("*.npy")
    data = BytesIO()
    np.save(data, first + 1)  # told apart from features made again
    write_sealed(kept, data.getvalue())
    np.testing.assert_array_equal(VisionEncoder(clip, Look(), cache=tmp_path).features(subject), first + 1)
    flipped = bytearray(kept.read_bytes())
    flipped[-40] ^= 4
    for damaged in (bytes(flipped), kept.read_bytes()[:-40], b"", data.getvalue()):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(VisionEncoder(clip, Look(), cache=tmp_path).features(subject), first)
    other = VisionEncoder(clip, Look(channels=("flair", "flair", "flair")), cache=tmp_path).features(subject)
    assert np.abs(other - first).max() > 1e-3
    brighter = patient("A", 1, 90)
    assert np.abs(VisionEncoder(clip, Look(), cache=tmp_path).features(brighter) - first).max() > 1e-3


def siglip(out: Path) -> SiglipVisionModel:
    config = SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(out)
    return SiglipVisionModel(config)


def dinov2(out: Path) -> Dinov2Model:
    config = Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8)
    size = {"height": 32, "width": 32}
    BitImageProcessorPil(size={"shortest_edge": 40}, crop_size=size, do_center_crop=True).save_pretrained(out)
    return Dinov2Model(config)


def dinov3(out: Path) -> DINOv3ViTModel:
    """As the published ones: its processor's own class needs torchvision."""
    config = DINOv3ViTConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(out)
    text = (out / "preprocessor_config.json").read_text()
    (out / "preprocessor_config.json").write_text(text.replace("ViTImageProcessor", "DINOv3ViTImageProcessor"))
    return DINOv3ViTModel(config)


@pytest.mark.parametrize("make", [siglip, dinov2, dinov3])
def test_other_families_give_their_own_pooled_output(make: Callable[[Path], torch.nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = make(tmp_path).eval()
    model.save_pretrained(tmp_path)
    encoder = VisionEncoder(tmp_path, Look(every=4))
    subject = patient("A", 1)
    found = encoder.features(subject)
    assert found.shape == (2, 32)
    assert encoder.settings["image_size"] == 32
    images = [encoder._image(subject, index) for index in (2, 6)]
    inputs = encoder._checkpoint.image_processor(
        images, do_center_crop=False, size={"height": 32, "width": 32}, return_tensors="pt"
    )
    assert inputs["pixel_values"].shape == (2, 3, 32, 32)
    with torch.inference_mode():
        np.testing.assert_allclose(found, model(**inputs).pooler_output.numpy(), atol=1e-5)


def test_a_checkpoint_without_a_tower_that_gives_features_is_named(tmp_path: Path) -> None:
    sam = write_tiny_sam(tmp_path / "tiny-sam")
    with pytest.raises(ModelError, match=r"tiny-sam .*'sam'.*: clip, "):
        VisionEncoder(sam, Look())
    headless = SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    headless.vision_use_head = False
    SiglipVisionModel(headless).save_pretrained(tmp_path / "headless")
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "headless")
    with pytest.raises(ModelError, match="headless"):
        VisionEncoder(tmp_path / "headless", Look())


@pytest.mark.parametrize("pool", ["mean", "slices"])
def test_the_probe_learns_an_obvious_difference_and_says_how_sure_it_is(clip: Path, pool: str) -> None:
    encoder = VisionEncoder(clip, Look(every=2))
    probe = fit_probe("untrained", pool, patients(16, "L"), patients(4, "V"), encoder.features, encoder.settings)
    tested = patients(8, "T")
    predictions = list(probe.predict([Question(subject, "grade", None) for subject in tested]))
    assert [p.answer for p in predictions] == [Answered(Grade(n % 2)) for n in range(8)]
    scores = [p.score for p in predictions]
    assert min(scores[1::2]) > max(scores[::2])  # type: ignore[type-var]
    assert probe.settings["checkpoint"] == "tiny-clip"
    assert probe.settings["calibrated_on"] == "validation and out-of-fold training"


def drawn(slices: int, count: int, seed: int = 0) -> tuple[list[PreparedSubject], dict[str, np.ndarray]]:
    """Patients, and for each (slices, 6) features of which the first tells the grade a little."""
    random = np.random.default_rng(seed)
    subjects = [patient(f"P{seed}-{n}", int(n % 3 > 0)) for n in range(count)]
    rows = {}
    for subject in subjects:
        found = random.normal(size=(slices + random.integers(3), 6)) * [1, 1, 5, 1, 0.1, 1] + random.normal(size=6)
        found[:, 0] += 1.2 * (subject.grade or 0)
        rows[subject.id] = found.astype(np.float32)
    return subjects, rows


def test_another_seed_draws_other_folds_that_calibrate_the_probe() -> None:
    subjects, rows = drawn(4, 30)
    zero, one, again = (
        fit_probe("p", "mean", subjects[:24], (), lambda subject: rows[subject.id], {}, seed) for seed in (0, 1, 1)
    )
    assert [probe.settings.get("seed") for probe in (zero, one, again)] == [None, 1, 1]
    assert one.settings == again.settings
    assert zero.decision != one.decision == again.decision


@pytest.mark.parametrize("pool", ["mean", "slices"])
def test_the_probe_is_plain_scikit_learn_on_the_same_features(pool: str) -> None:
    subjects, rows = drawn(4, 30)
    train, tested = subjects[:24], subjects[24:]
    probe = fit_probe("p", pool, train, (), lambda subject: rows[subject.id], {})
    grades = np.array([subject.grade for subject in train])

    def fitted(learn: list[PreparedSubject], strength: float) -> Callable[[PreparedSubject], float]:
        per = {one.id: rows[one.id].mean(0, keepdims=True) if pool == "mean" else rows[one.id] for one in subjects}
        values = np.concatenate([per[one.id] for one in learn])
        truth = np.concatenate([np.full(len(per[one.id]), one.grade) for one in learn])
        scaler = StandardScaler().fit(values)
        model = LogisticRegression(C=strength, max_iter=2000).fit(scaler.transform(values), truth)
        return lambda one: float(model.predict_proba(scaler.transform(per[one.id]))[:, 1].mean())

    held_out = {}
    for strength in STRENGTHS:
        scores = np.empty(len(train))
        for learn, left in StratifiedKFold(5, shuffle=True, random_state=0).split(grades, grades):
            score = fitted([train[n] for n in learn], strength)
            scores[left] = [score(train[n]) for n in left]
        held_out[strength] = scores
    best = min(STRENGTHS, key=lambda strength: log_loss(grades, held_out[strength]))
    assert STRENGTHS[0] < best < STRENGTHS[-1], "a choice that says something"
    decision, _ = learn_operating_point(held_out[best], grades == 1)
    score = fitted(train, best)
    expected = [calibrated(score(subject), decision) for subject in tested]
    predictions = list(probe.predict([Question(subject, "grade", None) for subject in tested]))
    assert [p.score for p in predictions] == pytest.approx(expected)
    assert [p.answer for p in predictions] == [Answered(Grade(int(p >= decision.threshold))) for p in expected]
    assert (probe.settings["strength"], probe.settings["pool"]) == (best, pool)


def test_mean_and_slices_are_two_probes() -> None:
    subjects, rows = drawn(4, 30)
    mean, slices = (
        fit_probe("p", pool, subjects[:24], (), lambda subject: rows[subject.id], {}) for pool in ("mean", "slices")
    )
    questions = [Question(subject, "grade", None) for subject in subjects[24:]]
    pairs = zip(mean.predict(questions), slices.predict(questions), strict=True)
    assert all(abs((a.score or 0) - (b.score or 0)) > 1e-6 for a, b in pairs)


def test_tested_patients_are_not_seen_while_it_learns_and_ungraded_ones_do_not_count() -> None:
    subjects, rows = drawn(3, 14)
    seen: list[str] = []

    def embed(subject: PreparedSubject) -> np.ndarray:
        seen.append(subject.id)
        return rows[subject.id]

    ungraded = replace(subjects[0], grade=None)
    learnt = fit_probe("p", "mean", [ungraded, *subjects[1:9]], subjects[9:11], embed, {})
    assert set(seen) == {subject.id for subject in subjects[1:11]}
    again = fit_probe("p", "mean", subjects[1:9], subjects[9:11], embed, {})
    assert learnt.settings == again.settings
    assert (
        learnt.settings["learnt"] != fit_probe("p", "mean", subjects[:9], subjects[9:11], embed, {}).settings["learnt"]
    )


def test_a_patient_without_slices_has_no_answer_and_too_few_patients_no_probe() -> None:
    subjects, rows = drawn(3, 14)
    none = np.empty((0, 0), np.float32)
    probe = fit_probe("p", "slices", subjects[:12], (), lambda subject: rows.get(subject.id, none), {})
    (prediction,) = probe.predict([Question(patient("dark", 1), "grade", None)])
    assert isinstance(prediction.answer, Missing)
    assert prediction.score is None
    with pytest.raises(ModelError, match=r"p: .* 1 LGG and 2 HGG"):
        fit_probe("p", "mean", subjects[:3], subjects[3:6], lambda subject: rows[subject.id], {})
