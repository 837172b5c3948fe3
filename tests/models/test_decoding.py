"""Decoding options, and sampling that knows nothing of the batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gliobench.grid.frame import SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.language.decoding import Decoding, Draw, logits_processors, question_seed


def _question(subject: str = "A", task: str = "grade", index: int = 3, repeat: int = 0) -> Question:
    prepared = PreparedSubject(
        id=subject,
        grade=None,
        image=np.zeros((4, 5, 6, 7), np.uint8),
        labels=None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(7, 6, 5),
        oracle=False,
        content="",
    )
    return Question(prepared, task, SliceFrame("axial", index, (6, 7), (1.0, 1.0)), repeat)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"min_p": 1.5}, "min_p"),
        ({"top_k": -1}, "top_k"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Decoding(**options)


def test_settings_of_greedy_decoding_do_not_know_what_cannot_change_an_answer() -> None:
    assert Decoding(seed=1, top_p=0.5).settings == Decoding(seed=2, min_p=0.1).settings
    assert Decoding(temperature=1, seed=1).settings != Decoding(temperature=1, seed=2).settings
    assert Decoding(top_k=5).settings == Decoding().settings
    assert Decoding(temperature=1, top_k=5).settings != Decoding(temperature=1).settings
    assert "top_k" not in Decoding(temperature=1).settings  # the keys of before it was there
    assert Decoding(max_new_tokens=5).settings != Decoding().settings


def test_seed_follows_from_the_question_alone() -> None:
    # printf '[7, "A", "grade", "axial", 3, 0]' | sha256sum, the first 16 digits
    assert question_seed(7, _question()) == 0xEB03754C6DA2517A
    others = [_question("B"), _question(task="box"), _question(index=4), _question(repeat=1)]
    assert len({question_seed(7, question) for question in [_question(), *others]}) == 5
    assert question_seed(8, _question()) != question_seed(7, _question())
    volume = replace(_question(), frame=None)
    assert question_seed(7, volume) not in {question_seed(7, _question())}


def test_draws_follow_the_softmax() -> None:
    probability = torch.tensor([0.5, 0.0, 0.3, 0.15, 0.05])
    n = 20_000
    draw = Draw([0])
    drawn = torch.stack([draw(None, probability.log()[None]).argmax() for _ in range(n)])
    share = torch.bincount(drawn, minlength=5) / n
    error = (probability * (1 - probability) / n).sqrt()
    assert bool(((share - probability).abs() <= 4 * error).all())


def test_a_draw_is_where_the_summed_probabilities_pass_the_rows_number() -> None:
    number = float(torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(5)))
    for below in (number - 1e-6, number + 1e-6):  # of the first token
        scores = torch.tensor([[below, 1 - below]], dtype=torch.float64).log()
        assert Draw([5])(None, scores).argmax().item() == (1 if below < number else 0)


def test_a_rows_draw_does_not_depend_on_its_neighbours() -> None:
    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    together, alone = Draw([5, 6, 7]), Draw([6])
    drawn = []
    for _ in range(8):  # step after step
        drawn.append(together(None, scores)[1])
        assert torch.equal(drawn[-1], alone(None, scores[1:2])[0])
    assert len({int(row.argmax()) for row in drawn}) > 1


def test_top_p_and_min_p_leave_only_the_likely_tokens() -> None:
    assert not logits_processors(Decoding(), [_question()])
    scores = torch.tensor([[0.6, 0.25, 0.1, 0.05]]).log()
    ids = torch.zeros(1, 1, dtype=torch.long)

    def left(**options: float) -> torch.Tensor:
        narrow = logits_processors(Decoding(**options), [_question()])
        assert isinstance(narrow.pop(), Draw)
        return narrow(ids, scores)

    assert torch.isfinite(left(temperature=1, top_p=0.8)).tolist() == [[True, True, False, False]]  # 0.6 + 0.25 >= 0.8
    assert torch.isfinite(left(temperature=1, min_p=0.15)).tolist() == [[True, True, True, False]]  # >= 0.15 * 0.6
    assert torch.isfinite(left(temperature=1, top_k=3)).tolist() == [[True, True, True, False]]
    # first the 3, of which 0.6 of 0.95 are less than 0.65 and 0.85 of 0.95 more
    assert torch.isfinite(left(temperature=1, top_k=3, top_p=0.65)).tolist() == [[True, True, False, False]]
    assert torch.allclose(left(temperature=2), scores / 2)
