"""Three classes through every kind of model: probabilities that sum to 1, and the most probable class."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.servers import completion
from torch.nn import functional

from gliobench.cohort.problem import GLIOMA, NODULES
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.classified import of_answers
from gliobench.models.base.ensemble import Ensemble
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.baselines.majority_grade import majority_grade
from gliobench.models.classical.grade import fit_grader
from gliobench.models.external.python_class import OwnModel
from gliobench.models.language.choice import class_choices
from gliobench.models.language.grammar import frame_pattern
from gliobench.models.language.guided import pattern_of
from gliobench.models.networks.description import another_problem, read_description
from gliobench.models.networks.trained import load_network
from gliobench.models.server.reply import class_probability, read_reply
from gliobench.models.vision.probe import fit_probe
from gliobench.replay.answers import read_answers
from gliobench.replay.errors import ReplayError
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.geometry import Grade
from gliobench.training.fit import fit_network
from gliobench.training.objectives import make_objective
from gliobench.training.settings import TrainSettings

SHAPE = (8, 8, 8)


def patient(number: int) -> PreparedSubject:
    """A nodule that is the brighter the higher its class, 0, 1 or 2 in turn."""
    grade = number % 3
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 2:6, 2:6] = 1
    noise = np.random.default_rng(number).normal(0, 4, SHAPE)
    image = (60 + noise + labels * (20 + 50 * grade)).clip(1, 255).astype(np.uint8)[None]
    return PreparedSubject(
        f"P{number}", grade, image, labels, np.eye(4), np.eye(4), SHAPE, False, f"content {number}", problem=NODULES
    )


TRAIN, VALIDATION, TEST = ([patient(n) for n in part] for part in (range(24), range(24, 42), range(42, 48)))
ASKED = [Question(one, "grade", None) for one in TEST]


def check(predictions: list[Prediction]) -> None:
    for one in predictions:
        assert one.score is None
        assert one.probabilities is not None
        assert sum(one.probabilities) == pytest.approx(1)
        assert one.answer == Answered(Grade(int(np.argmax(one.probabilities))))


def describe(subject: PreparedSubject, region: str) -> np.ndarray:
    return np.array([float(subject.image[0][subject.tumour].mean()), 1.0])


def test_the_majority_is_the_commonest_class_with_its_proportions() -> None:
    model = majority_grade([*TRAIN[:4], TRAIN[2]], "axial")  # classes 0, 1, 2, 0 and 2: in a tie the first
    (prediction, *_) = model.predict(ASKED)
    assert (prediction.answer, prediction.probabilities) == (Answered(Grade(0)), (0.4, 0.2, 0.4))


def test_fitted_models_and_their_ensemble_tell_three_classes_apart() -> None:
    classical = fit_grader("classical", "truth", TRAIN, VALIDATION, describe)
    probe = fit_probe("probe", "mean", TRAIN, VALIDATION, lambda one: describe(one, "truth")[None].astype("f4"), {})
    both = [list(model.predict(ASKED)) for model in (classical, probe)]
    for predictions in both:
        check(predictions)
        assert [one.answer for one in predictions] == [Answered(Grade(one.grade or 0)) for one in TEST]
    assert classical.settings["calibrated_on"] == "validation and out-of-fold training"
    together = list(Ensemble("both", [classical, replace(classical, name="again")]).predict(ASKED))
    check(together)
    assert [one.probabilities for one in together] == [pytest.approx(one.probabilities) for one in both[0]]


def test_a_class_without_training_patients_is_refused_with_the_counts() -> None:
    with pytest.raises(ModelError, match="every class with a mask; found 8 benign, 8 indeterminate and 0 malignant"):
        fit_grader("it", "truth", [one for one in TRAIN if one.grade != 2], [], describe)


def test_a_network_has_a_logit_for_each_class_and_is_not_used_for_others(tmp_path: Path) -> None:
    settings = TrainSettings(epochs=1, batch_size=4, augment=False, precision="float32", balance_grades=True)
    out = fit_network("grade-classifier", TRAIN, VALIDATION, tmp_path, settings)
    check(list(load_network([out, out], "it").predict(ASKED)))
    description = read_description(out)
    assert (description["images"], description["classes"]) == (["ct"], ["benign", "indeterminate", "malignant"])
    assert len(description["decisions"]) == 1
    assert another_problem(out, NODULES) is None
    assert "was trained on the images ct; the study has flair" in str(another_problem(out, GLIOMA))
    found = another_problem(out, replace(NODULES, classes=("benign", "malignant"), class_words=()))
    assert str(found).endswith("classes benign, indeterminate, malignant; the study has benign, malignant")


def test_the_objective_of_three_classes_is_the_cross_entropy() -> None:
    objective = make_objective("grade", (), TrainSettings(), NODULES)
    targets = torch.stack([objective.target(one) for one in TRAIN[:3]])
    assert targets.tolist() == torch.eye(3).tolist()
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
    expected = functional.nll_loss(logits.log_softmax(1), torch.tensor([0, 1, 2])).item()
    assert objective.loss(logits, targets).item() == pytest.approx(expected)
    assert objective.judge(list(logits), list(targets)) == pytest.approx(-expected)
    assert objective.score(logits, targets) == pytest.approx(2 / 3)


def test_formats_have_a_number_for_every_class_and_none() -> None:
    assert pattern_of("grade", NODULES) == frame_pattern("grade", (8, 8), NODULES) == "Choice: [0123]"
    assert pattern_of("grade") == "Choice: [012]"
    choices = class_choices(lambda text, **_: {"input_ids": [ord(one) for one in text]}, NODULES)
    assert choices.texts == ("Choice: 0", "Choice: 1", "Choice: 2", "Choice: 3")


def test_a_servers_digits_become_probabilities_of_the_classes() -> None:
    top = [{"token": token, "logprob": float(np.log(p))} for token, p in {"0": 0.1, "2": 0.3, "3": 0.2}.items()]
    places = [{"token": "Choice: "}, {"token": "2", "top_logprobs": top}]
    reply = read_reply(completion("Choice: 2", logprobs={"content": places}))
    found = class_probability(reply, lambda text: Answered(Grade(int(text[-1]))), NODULES)
    assert found == pytest.approx([0.25, 0, 0.75])  # of 0.4 for a class; the fifth part for none stands aside


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ([0.2, 0.5, 0.3], Answered(Grade(1))),
        (np.array([0.4, 0.2, 0.4]), Answered(Grade(0))),
        ([0.2, 0.5, 0.2], None),
        ([0.5, 0.5], None),
        (0.7, None),
        ([1.2, -0.1, -0.1], None),
    ],
)
def test_a_class_of_ones_own_gives_a_probability_for_each(value: object, answer: Answered | None) -> None:
    class Mine:
        tasks = ("grade",)

        def predict(self, questions: list[Question]) -> list[object]:
            return [value] * len(questions)

    (prediction,) = OwnModel("mine", "mine.py:Mine", Mine(), "").predict(ASKED[:1])
    assert prediction.answer == answer if answer else isinstance(prediction.answer, Malformed)


def test_held_answers_give_probabilities_as_a_list(tmp_path: Path) -> None:
    row = {"subject": "P42", "task": "grade", "plane": "axial", "slice": 3, "answer": "Choice: 1"}
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({**row, "probabilities": [0.1, 0.6, 0.3]}))
    (given,) = read_answers(path, NODULES).answers.values()
    assert given.probability == pytest.approx([0.1, 0.6, 0.3])
    for wrong, message in (
        ({"probability": 0.5}, "of two classes: give `probabilities`"),
        ({"probabilities": [0.5, 0.5]}, "expected 3 probabilities"),
        ({"probabilities": "0.1 0.6 0.3"}, "is a list such as"),
    ):
        path.write_text(json.dumps({**row, **wrong}))
        with pytest.raises(ReplayError, match=message):
            read_answers(path, NODULES)


def test_a_model_that_is_certain_of_no_target_says_nothing_of_the_classes() -> None:
    assert of_answers(np.array([0.0, 0.0, 0.0, 1.0]), NODULES) == pytest.approx([1 / 3] * 3)
    assert of_answers(np.array([0.1, 0.1, 0.2, 0.6]), NODULES) == pytest.approx([0.25, 0.25, 0.5])
