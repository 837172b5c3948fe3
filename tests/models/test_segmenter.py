"""Promptable segmenters: the mask is the model's own for the place that was meant, and what has no place is no mask."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.asked import subject
from transformers import Sam2Model, Sam2Processor, SamModel, SamProcessor
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from gliobench.grid.slices import grey_slice
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.tiny import write_tiny_clip, write_tiny_sam, write_tiny_sam2
from gliobench.models.vision.segmenter import PromptableSegmenter, Prompts, processor_prompts
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing
from gliobench.tasks.geometry import Box, Mask, Point

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sam(tmp_path_factory.mktemp("sam") / "tiny-sam")


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sam2(tmp_path_factory.mktemp("sam2") / "tiny-sam2")


PATIENT = subject()  # slices of 40 rows and 48 columns
QUESTIONS = [Question(PATIENT, "mask", PATIENT.frame("axial", index)) for index in range(6)]


def box(question: Question) -> Answer:
    """Another box in every slice."""
    assert question.frame is not None
    return Answered(Box(question.frame, 4 + question.frame.index, 10, 20, 30.5))


def point(question: Question) -> Answer:
    assert question.frame is not None
    return Answered(Point(question.frame, 4.5 + question.frame.index, 30))


def masks(checkpoint: Path, prompts: Prompts, batch_size: int = 4) -> list[np.ndarray]:
    model = PromptableSegmenter(checkpoint, prompts, name="untrained", batch_size=batch_size)
    found = []
    for question, prediction in zip(QUESTIONS, model.predict(QUESTIONS), strict=True):
        assert prediction.question is question
        assert isinstance(prediction.answer, Answered)
        assert isinstance(prediction.answer.value, Mask)
        assert prediction.answer.value.frame == question.frame
        found.append(prediction.answer.value.pixels)
    return found


def image(index: int) -> Image.Image:
    return Image.fromarray(grey_slice(PATIENT, "flair", "axial", index)).convert("RGB")


def test_pixels_become_the_processors_coordinates_by_hand() -> None:
    frame = PATIENT.frame("axial", 0)
    # Pixels of rows 2 to 5 and columns 7 to 9, edges inside, reach from border 7 to border 10 and from 2 to 6.
    assert processor_prompts([Box(frame, 2, 7, 5, 9)]) == {"input_boxes": [[[7, 2, 10, 6]]]}
    assert processor_prompts([Point(frame, 0, 3)]) == {
        "input_points": [[[[3.5, 0.5]]]],
        "input_labels": [[[1]]],
    }


@pytest.mark.parametrize("index", [0, 5])
def test_a_box_gives_the_mask_of_sam_used_plainly(sam: Path, index: int) -> None:
    model, processor = SamModel.from_pretrained(sam).eval(), SamProcessor.from_pretrained(sam, backend="pil")
    inputs = processor(image(index), input_boxes=[[[10.0, 4.0 + index, 31.5, 21.0]]], return_tensors="pt")
    # SAM's processor brings 40 rows and 48 columns to 53 (53.3 rounded) and 64.
    expected_box = [10 * 64 / 48, (4 + index) * 53 / 40, 31.5 * 64 / 48, 21 * 53 / 40]
    assert inputs["input_boxes"][0, 0].tolist() == pytest.approx(expected_box)
    with torch.inference_mode():
        output = model(pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"], multimask_output=False)
    (mask,) = processor.post_process_masks(output.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"])
    found = masks(sam, Prompts("box", box, {}))[index]
    assert 0 < found.sum() < found.size
    np.testing.assert_array_equal(found, mask[0, 0].numpy())


def test_a_point_gives_the_mask_of_the_three_that_sam_itself_thinks_best(sam: Path) -> None:
    model, processor = SamModel.from_pretrained(sam).eval(), SamProcessor.from_pretrained(sam, backend="pil")
    chosen = []
    for index, found in enumerate(masks(sam, Prompts("point", point, {}))):
        inputs = processor(
            image(index), input_points=[[[[30.5, 5.0 + index]]]], input_labels=[[[1]]], return_tensors="pt"
        )
        sizes = [inputs.pop(name) for name in ("original_sizes", "reshaped_input_sizes")]
        with torch.inference_mode():
            output = model(**inputs, multimask_output=True)
        three = processor.post_process_masks(output.pred_masks, *sizes)[0][0]
        chosen.append(int(output.iou_scores.argmax()))
        np.testing.assert_array_equal(found, three[chosen[-1]].numpy())
    assert set(chosen) != {0}, "the first of the three would do as well, and the test would say nothing"


def test_sam_2_gives_its_own_mask_for_the_box(sam2: Path) -> None:
    model, images = Sam2Model.from_pretrained(sam2).eval(), ViTImageProcessorPil.from_pretrained(sam2)
    inputs = Sam2Processor(images)(original_sizes=[[40, 48]], input_boxes=[[[10.0, 7.0, 31.5, 21.0]]])
    assert inputs["input_boxes"][0, 0].tolist() == pytest.approx(
        [10 * 64 / 48, 7 * 64 / 40, 31.5 * 64 / 48, 21 * 64 / 40]
    )
    with torch.inference_mode():
        output = model(
            pixel_values=images(image(3), return_tensors="pt")["pixel_values"],
            input_boxes=inputs["input_boxes"],
            multimask_output=False,
        )
    logits = torch.nn.functional.interpolate(output.pred_masks[:, 0], (40, 48), mode="bilinear", align_corners=False)
    found = masks(sam2, Prompts("box", box, {}))[3]
    assert 0 < found.sum() < found.size
    np.testing.assert_array_equal(found, (logits[0, 0] > 0).numpy())


def test_published_checkpoints_of_sam_2_call_themselves_video_models(sam2: Path, tmp_path: Path) -> None:
    video = Path(shutil.copytree(sam2, tmp_path / "video"))
    config = json.loads((video / "config.json").read_text())
    (video / "config.json").write_text(json.dumps(config | {"model_type": "sam2_video"}))
    for own, other in zip(masks(sam2, Prompts("box", box, {})), masks(video, Prompts("box", box, {})), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("kind", ["box", "point"])
@pytest.mark.parametrize("family", ["sam", "sam2"])
def test_batches_of_1_and_4_give_the_same_masks(family: str, kind: str, request: pytest.FixtureRequest) -> None:
    checkpoint, of = request.getfixturevalue(family), {"box": box, "point": point}[kind]
    one, four = (masks(checkpoint, Prompts(kind, of, {}), batch_size) for batch_size in (1, 4))
    for alone, together in zip(one, four, strict=True):
        np.testing.assert_array_equal(alone, together)
    assert len({mask.tobytes() for mask in one}) == len(one), "every slice looks different and has its own place"


@pytest.mark.parametrize(("family", "kind"), [("sam", "box"), ("sam", "point"), ("sam2", "box"), ("sam2", "point")])
def test_another_place_gives_another_mask(family: str, kind: str, request: pytest.FixtureRequest) -> None:
    def elsewhere(question: Question) -> Answer:
        assert question.frame is not None
        return Answered(Box(question.frame, 25, 1, 39, 8) if kind == "box" else Point(question.frame, 38, 3))

    checkpoint, of = request.getfixturevalue(family), {"box": box, "point": point}[kind]
    here, there = (masks(checkpoint, Prompts(kind, places, {})) for places in (of, elsewhere))
    assert all((a != b).any() for a, b in zip(here, there, strict=True))


def test_where_there_is_no_place_the_answer_is_passed_on_and_nothing_is_dropped(sam: Path) -> None:
    empty = Answered(Mask(PATIENT.frame("axial", 1), np.zeros((40, 48), bool)))
    others: dict[int, Answer] = {1: empty, 2: Missing("llama gave no place"), 4: Malformed("whatever comes")}

    def of(question: Question) -> Answer:
        assert question.frame is not None
        return others.get(question.frame.index, box(question))

    model = PromptableSegmenter(sam, Prompts("box", of, {}), name="untrained", batch_size=4)
    answers = [prediction.answer for prediction in model.predict(QUESTIONS)]
    assert {index: answers[index] for index in others} == others
    for index, mask in enumerate(masks(sam, Prompts("box", box, {}))):
        if index not in others:
            np.testing.assert_array_equal(answers[index].value.pixels, mask)  # type: ignore[union-attr]
    nothing = Prompts("box", lambda question: others[2], {})
    assert [p.answer for p in PromptableSegmenter(sam, nothing, name="u").predict(QUESTIONS)] == [others[2]] * 6


def test_settings_say_all_that_can_change_a_mask(sam: Path) -> None:
    box_settings, point_settings = (
        PromptableSegmenter(sam, Prompts(kind, box, {"from": "llama", "answers": "1"}), name="u").settings
        for kind in ("box", "point")
    )
    assert box_settings["checkpoint"] == "tiny-sam"
    assert len(str(box_settings["content"])) == 64
    assert (box_settings["from"], box_settings["answers"], box_settings["modality"]) == ("llama", "1", "flair")
    assert (box_settings["prompt"], box_settings["masks"]) == ("box", "one")
    assert (point_settings["prompt"], point_settings["masks"]) == ("point", "best of three by predicted IoU")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), r"expected undamaged \*\.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 64), r"expected undamaged \*\.safetensors"),
        (lambda folder: (folder / "processor_config.json").unlink(), "has no image processor"),
        (lambda folder: (folder / "config.json").unlink(), r"needs a config\.json"),
    ],
)
def test_a_damaged_checkpoint_is_named(
    sam: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder = Path(shutil.copytree(sam, tmp_path / "damaged"))
    damage(folder)
    with pytest.raises(ModelError, match=rf"damaged.*{message}|{message}.*damaged"):
        PromptableSegmenter(folder, Prompts("box", box, {}), name="u")


def test_other_models_and_other_questions_are_refused(sam: Path, tmp_path: Path) -> None:
    prompts = Prompts("box", box, {})
    clip = write_tiny_clip(tmp_path / "clip")
    with pytest.raises(ModelError, match=r"'clip'.* sam, sam2"):
        PromptableSegmenter(clip, prompts, name="u")
    model = PromptableSegmenter(sam, prompts, name="u")
    with pytest.raises(ModelError, match=r"'box'.* mask"):
        model.predict([Question(PATIENT, "box", PATIENT.frame("axial", 0))])
    with pytest.raises(ModelError, match="mask"):
        model.predict([Question(PATIENT, "mask", None)])
