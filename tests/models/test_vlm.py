"""A vision-language model asked about slices: the answers are the model's own, whatever the batch."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gliobench.cohort.read import find_cohort, load_subject
from gliobench.grid.frame import Plane
from gliobench.grid.prepare import prepare_subject
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.recipe import Recipe
from gliobench.grid.slices import select_slices
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.models.tiny import UNTRAINED, write_tiny_mllama
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answered
from gliobench.tasks.registry import TASKS

SHORT = Decoding(max_new_tokens=12)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mllama(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture(scope="module")
def model(folder: Path) -> VisionLanguageModel:
    return VisionLanguageModel(folder, name=UNTRAINED, decoding=SHORT, batch_size=4)


def _subject(id: str, seed: int) -> PreparedSubject:
    """Coarse random blocks, each slice another, so that slices look different at any scale."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 12, 5, 6), dtype=np.uint8)
    return PreparedSubject(
        id=id,
        grade=seed % 2,
        image=blocks.repeat(8, axis=2).repeat(8, axis=3),
        labels=None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(48, 40, 12),
        oracle=False,
        content=str(seed),
    )


def _question(task: str, index: int, *, plane: Plane = "axial", seed: int = 1, repeat: int = 0) -> Question:
    subject = _subject(f"subject-{seed}", seed)
    return Question(subject, task, subject.frame(plane, index), repeat)


def _mixed() -> list[Question]:
    """18 questions: every task (prompts of different lengths), two patients, two planes, in no order."""
    tasks = list(TASKS)
    planes: list[Plane] = ["axial", "coronal"]
    return [
        _question(tasks[n % len(tasks)], n % 12, plane=planes[n % 2], seed=1 + n // 9, repeat=n // 9) for n in range(18)
    ]


def _said(predictions: Sequence[Prediction]) -> list[tuple[str | None, int | None, str | None, str]]:
    return [(p.text, p.tokens, p.finish, str(p.answer)) for p in predictions]


@pytest.mark.parametrize("decoding", [SHORT, Decoding(temperature=1.5, top_p=0.95, seed=3, max_new_tokens=12)])
def test_batches_of_1_4_and_16_give_the_same_answers_in_the_order_asked(folder: Path, decoding: Decoding) -> None:
    questions = _mixed()
    said = []
    for batch_size in (1, 4, 16):
        asked = VisionLanguageModel(folder, decoding=decoding, batch_size=batch_size)
        predictions = list(asked.predict(questions))
        assert [prediction.question for prediction in predictions] == questions
        assert all(prediction.seconds and prediction.seconds > 0 for prediction in predictions)
        said.append(_said(predictions))
    assert said[0] == said[1] == said[2]


def test_greedy_answer_is_the_largest_logit_token_by_token(model: VisionLanguageModel) -> None:
    question = _question("grade", 5)
    inputs = dict(model._inputs([question]))
    processor, network = model._checkpoint.processor, model._checkpoint.model
    length = inputs["input_ids"].shape[1]
    with torch.inference_mode():
        for _ in range(12):  # without the cache, and without generate()
            token = network(**inputs, use_cache=False).logits[:, -1:].argmax(-1)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], token], 1)
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
            cross = inputs["cross_attention_mask"]
            inputs["cross_attention_mask"] = torch.cat([cross, cross[:, -1:]], 1)
    expected = processor.tokenizer.decode(inputs["input_ids"][0, length:], skip_special_tokens=True)
    (prediction,) = model.predict([question])
    assert prediction.text == expected


def test_another_image_gives_other_logits_and_another_answer(folder: Path, model: VisionLanguageModel) -> None:
    with torch.inference_mode():
        one, same, other = (
            model._checkpoint.model(**model._inputs([_question("grade", index)])).logits[0, -1] for index in (2, 2, 3)
        )
    assert torch.equal(one, same)
    assert (one - other).abs().max() > 1e-3
    texts = [prediction.text for prediction in model.predict([_question("grade", index) for index in range(12)])]
    assert len(set(texts)) > 1
    t2 = VisionLanguageModel(folder, decoding=SHORT, view=View(modalities=("t2",)))
    assert [prediction.text for prediction in t2.predict([_question("grade", index) for index in range(12)])] != texts


def test_the_image_stands_before_the_text_and_begin_stands_once(model: VisionLanguageModel) -> None:
    tokenizer = model._checkpoint.processor.tokenizer
    questions = [_question("grade", 0), _question("polygon", 0)]
    inputs = model._inputs(questions)
    for row, question in zip(inputs["input_ids"], questions, strict=True):
        asked = TASKS[question.task].prompt.text.replace("{rows}", "40").replace("{columns}", "48")
        written = tokenizer.decode(row).replace(tokenizer.pad_token, "")
        assert written == (
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>"
            f"{asked}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        )
    assert inputs["attention_mask"][:, -1].tolist() == [1, 1]  # padded on the left


def test_what_the_limit_cut_off_is_flagged(model: VisionLanguageModel) -> None:
    (prediction,) = model.predict([_question("box", 4)])
    assert (prediction.finish, prediction.tokens) == ("length", 12)
    expected = TASKS["box"].parse(prediction.text or "", _question("box", 4).frame, True)  # type: ignore[arg-type]
    assert type(prediction.answer) is type(expected)
    assert not isinstance(prediction.answer, Answered)  # random weights do not write a box
    assert prediction.score is None


def test_tokens_are_counted_up_to_the_end_without_the_padding(
    folder: Path, tmp_path: Path, model: VisionLanguageModel
) -> None:
    questions = [_question("grade", index) for index in range(8)]
    alone = [_generate(model, question) for question in questions]
    own_ends = model._checkpoint.end_ids
    end = next(token for token in alone[0] if token not in own_ends and not all(token in ids for ids in alone))
    ending = VisionLanguageModel(_with_end(folder, tmp_path / "ending", end), decoding=SHORT, batch_size=8)
    predictions = list(ending.predict(questions))
    assert {prediction.finish for prediction in predictions} == {"stop", "length"}
    for ids, prediction in zip(alone, predictions, strict=True):
        places = [place for place, token in enumerate(ids) if token in own_ends | {end}]
        assert prediction.finish == ("stop" if places else "length")
        assert prediction.tokens == (places[0] + 1 if places else 12)


def _generate(model: VisionLanguageModel, question: Question) -> list[int]:
    """The first 12 tokens that it says to one question, the end and what would follow it included."""
    inputs = model._inputs([question])
    output = model._checkpoint.model.generate(**inputs, do_sample=False, max_new_tokens=12)
    return list(output[0, inputs["input_ids"].shape[1] :].tolist())


def _with_end(folder: Path, copy: Path, token: int) -> Path:
    """The same checkpoint, in which `token` ends an answer too."""
    shutil.copytree(folder, copy)
    config = json.loads((copy / "generation_config.json").read_text())
    config["eos_token_id"].append(token)
    (copy / "generation_config.json").write_text(json.dumps(config))
    return copy


def test_each_task_has_its_own_limit_within_one_batch(folder: Path) -> None:
    limits = {"grade": 3, "box": 7}
    prompts = {task: replace(TASKS[task].prompt, max_new_tokens=limit) for task, limit in limits.items()}
    asked = VisionLanguageModel(folder, prompts=prompts)
    predictions = list(asked.predict([_question("grade", 1), _question("box", 1), _question("grade", 2)]))
    assert [prediction.tokens for prediction in predictions] == [3, 7, 3]


def test_sampling_follows_seed_and_repeat(folder: Path) -> None:
    def texts(seed: int) -> list[str | None]:
        sampled = VisionLanguageModel(folder, decoding=Decoding(temperature=1, seed=seed, max_new_tokens=8))
        return [p.text for p in sampled.predict([_question("grade", 3, repeat=repeat) for repeat in range(3)])]

    first = texts(0)
    assert len(set(first)) == 3
    assert texts(0) == first
    assert texts(1) != first


def test_settings_are_all_that_changes_an_answer_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    def settings(**options: Any) -> dict[str, Any]:
        return dict(VisionLanguageModel(folder, **options).settings)

    plain = settings(batch_size=1)
    assert plain == settings(batch_size=16) == settings(name="another name") == settings(tasks=("grade",))
    assert not [key for key in plain if "batch" in key]
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["dtype"], plain["temperature"], plain["modality"]) == ("float32", 0.0, "flair")
    assert (plain["checkpoint"], plain["revision"]) == ("checkpoint", None)
    assert plain["image_size"] == '{"height": 128, "width": 128}'
    reworded = {"grade": replace(TASKS["grade"].prompt, text="LGG or HGG?")}
    others = [
        settings(view=View(modalities=("t1ce",))),
        settings(dtype="bfloat16"),
        settings(prompts=reworded),
        settings(decoding=Decoding(max_new_tokens=3)),
        settings(decoding=Decoding(temperature=1.5)),
        dict(VisionLanguageModel(write_tiny_mllama(tmp_path / "checkpoint", seed=1)).settings),
    ]
    assert all(other != plain for other in others)


def test_prompt_that_does_not_fit_the_context_is_refused_before_anything_is_asked(
    folder: Path, model: VisionLanguageModel
) -> None:
    prompt = TASKS["box"].prompt
    header = "<|start_header_id|>{}<|end_header_id|>\n\n"
    around = header.format("user") + "<|image|><|eot_id|>" + header.format("assistant")
    longest_answer, context = 12, 4096
    letters = context - longest_answer - len(model._checkpoint.processor.tokenizer(around)["input_ids"])
    questions = [_question("grade", 1), _question("box", 1)]
    fits, too_long = (
        VisionLanguageModel(folder, prompts={"box": replace(prompt, text="1" * n)}, decoding=SHORT)
        for n in (letters, letters + 1)
    )
    fits.predict(questions)
    message = "box .*40 x 48 .* 4085 tokens .* 12.* 4096"
    with pytest.raises(ModelError, match=message):
        too_long.predict(questions)


def test_questions_that_cannot_be_asked(folder: Path, model: VisionLanguageModel) -> None:
    with pytest.raises(ModelError, match="subject-1: grade"):
        model.predict([replace(_question("grade", 1), frame=None)])
    only = VisionLanguageModel(folder, tasks=("grade",))
    assert only.tasks == {"grade"}
    with pytest.raises(ModelError, match=r"'box'.* grade"):
        only.predict([_question("box", 1)])
    assert list(model.predict([])) == []


def test_an_image_that_the_processor_does_not_take_is_named_before_anything_is_asked(
    folder: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    config = json.loads((broken / "processor_config.json").read_text())
    config["image_processor"]["image_mean"] = [0.5, 0.5]  # of three channels
    (broken / "processor_config.json").write_text(json.dumps(config))
    model = VisionLanguageModel(broken, decoding=SHORT)
    message = "subject-1, coronal slice 7: .*broken .* 12 x 48 pixels"
    with pytest.raises(ModelError, match=message):
        model.predict([_question("grade", 7, plane="coronal")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": ("grade", "volume")}, "volume"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_options(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        VisionLanguageModel(folder, **options)


def test_asking_is_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(list(VisionLanguageModel(folder, decoding=SHORT).predict(_mixed()[:2]))) == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.realdata
def test_real_slices_get_different_answers_that_do_not_depend_on_the_batch(shared: Path, folder: Path) -> None:
    cohort = find_cohort(shared / "cohort_2mm")
    subject = prepare_subject(load_subject(cohort.subjects[0], cohort.labels), Recipe())
    indices = select_slices(subject, "sagittal", "oracle", every=6)
    questions = [Question(subject, task, subject.frame("sagittal", i)) for task in ("grade", "box") for i in indices]
    one_by_one, batched = (
        _said(list(VisionLanguageModel(folder, decoding=SHORT, batch_size=size).predict(questions))) for size in (1, 16)
    )
    assert one_by_one == batched
    assert len({text for text, *_ in batched}) > len(questions) / 2
