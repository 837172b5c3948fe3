"""The grammars hold every answer in a frame and nothing outside it, in the tokens of any tokenizer."""

import re._parser as regex
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from gliobench.grid.frame import SliceFrame
from gliobench.models.base.errors import ModelError
from gliobench.models.language.grammar import Grammar, frame_pattern, longest_answer
from gliobench.models.language.guided import follows, pattern_of
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import Box, Mask, Point, Polygon
from gliobench.tasks.registry import TASKS

END = "<end>"


@st.composite
def written(draw: st.DrawFn) -> tuple[str, SliceFrame, str]:
    """A task, a frame, and an answer as the task itself writes it."""
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 30))
    frame = SliceFrame("axial", 0, (rows, columns), (1.0, 1.0))
    point = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1))
    task = draw(st.sampled_from(["centre", "box", "polygon", "mask"]))
    if task == "centre":
        return task, frame, TASKS[task].write(Point(frame, *draw(point)))
    if task == "box":
        (top, left), (bottom, right) = draw(point), draw(point)
        box = Box(frame, min(top, bottom), min(left, right), max(top, bottom), max(left, right))
        return task, frame, TASKS[task].write(box)
    if task == "polygon":
        return task, frame, TASKS[task].write(Polygon(frame, tuple(draw(st.lists(point, min_size=10, max_size=15)))))
    pixels = np.zeros((rows, columns), bool)
    for _ in range(draw(st.integers(1, 4))):
        row, column = draw(point)
        pixels[row, column : column + draw(st.integers(1, 9))] = True
    return task, frame, TASKS[task].write(Mask(frame, pixels))


@settings(max_examples=40)
@given(written())
def test_every_answer_of_a_task_follows_its_frames_pattern_and_the_servers(case: tuple[str, SliceFrame, str]) -> None:
    task, frame, text = case
    assert follows(frame_pattern(task, frame.shape), text)
    assert follows(pattern_of(task), text)
    assert len(text) <= longest_answer(task, frame.shape)


def test_what_lies_outside_the_frame_does_not_follow() -> None:
    shape = (40, 48)
    for task, inside, outside in [
        ("centre", "(39, 47)", "(40, 47)"),
        ("box", "(0, 0, 39, 47)", "(0, 0, 39, 48)"),
        ("box", "(0, 0, 9, 9)", "(00, 0, 9, 9)"),
        ("mask", "39: 5-47", "40: 5-47"),
        ("mask", "0: 5-5, 7-9", "0: 5-4, 7-9"),  # a run that ends before it starts
        ("grade", "Choice: 2", "Choice: 3"),
    ]:
        assert follows(frame_pattern(task, shape), inside)
        assert not follows(frame_pattern(task, shape), outside)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("shape", [(1, 1), (9, 12), (12, 101)])
def test_the_longest_answer_is_as_long_as_the_pattern_allows(task: str, shape: tuple[int, int]) -> None:
    _, longest = regex.parse(frame_pattern(task, shape)).getwidth()
    assert longest_answer(task, shape) == longest


@pytest.fixture(scope="module")
def merged() -> Any:
    """A byte-level BPE tokenizer that joins characters across the format's parts, `), (` and `: 1` among them."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [f"({row}, {row + 9}), (1{row}, 7), none Choice: {row % 3}" for row in range(90)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, special_tokens=[END])
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)


def _checkpoint(tokenizer: Any, logits: int) -> Any:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=logits))
    return SimpleNamespace(
        id="made",
        processor=SimpleNamespace(tokenizer=tokenizer),
        model=SimpleNamespace(config=config),
        end_ids=frozenset({tokenizer.eos_token_id}),
    )


def test_tokens_of_many_characters_stay_in_the_format_whatever_the_logits(merged: Any) -> None:
    logits = len(merged) + 40  # real models have more logits than tokens
    shape, tasks = (15, 20), [*TASKS, "polygon", "mask", None]
    frame = SliceFrame("axial", 0, shape, (1.0, 1.0))
    mask = Grammar(_checkpoint(merged, logits)).mask([None if task is None else (task, shape) for task in tasks])
    generator = torch.Generator().manual_seed(0)
    ids = torch.zeros((len(tasks), 3), dtype=torch.long)
    for _ in range(1 + longest_answer("mask", shape)):
        scores = mask(ids, torch.randn((len(tasks), logits), generator=generator))
        assert not scores[-1].isinf().any()  # a row without a format is free
        ids = torch.cat([ids, scores.argmax(-1, keepdim=True)], 1)
    longest_token = 0
    for task, row in zip(tasks[:-1], ids[:, 3:].tolist(), strict=False):
        assert task is not None
        answer = row[: row.index(merged.eos_token_id)]
        assert len(answer) + 1 <= 1 + longest_answer(task, shape)
        text = merged.decode(answer, clean_up_tokenization_spaces=False)
        said = TASKS[task].parse(text, frame, False)
        # A pattern cannot put rows in order; random logits say some again, which is two masks in one.
        assert isinstance(said, Answered | Missing) or "comes after row" in said.reason, text
        longest_token = max(longest_token, *(len(merged.decode([token])) for token in answer))
    assert longest_token > 1


def test_a_slow_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match=r"made .*SimpleNamespace"):
        Grammar(_checkpoint(SimpleNamespace(eos_token_id=0), 10))
