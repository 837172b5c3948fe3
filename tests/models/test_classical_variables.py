"""Variables of the cohort's table in the classical model: features by hand, keys, and what gives a class away."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.ensemble import Ensemble
from gliobench.models.base.prediction import Question
from gliobench.models.classical.grade import ClassicalGrader, fit_grader
from gliobench.models.classical.variables import Variable, find_variables, variable_faults
from gliobench.records.record import question_key

NAN = float("nan")


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here does not need a large forest."""
    monkeypatch.setattr("gliobench.models.classical.grade.TREES", 20)


def patient(id: str, grade: int, **variables: str) -> PreparedSubject:
    image = np.full((4, 4, 4, 4), 100, np.uint8)
    return PreparedSubject(
        id, grade, image, None, np.eye(4), np.eye(4), (4, 4, 4), False, f"{id}-{grade}", variables=variables
    )


def column(grades: list[int], values: list[str]) -> list[PreparedSubject]:
    return [
        patient(f"P{number:02d}", grade, **({"v": value} if value else {}))
        for number, (grade, value) in enumerate(zip(grades, values, strict=True))
    ]


def faults(grades: list[int], values: list[str]) -> list[str]:
    patients = column(grades, values)
    return list(variable_faults(find_variables(["v"], patients)[0], patients))


def test_numbers_are_one_feature_and_words_one_per_category_of_the_training_patients() -> None:
    train = [patient("A", 0, age="63", sex="F"), patient("B", 1, age=" 41.5", sex="M"), patient("C", 1, sex="NA")]
    age, sex = (variable.fitted(train) for variable in find_variables(["age", "sex"], train))
    assert (age.numeric, sex.numeric, sex.categories) == (True, False, ("F", "M"))
    assert [age.features(one) for one in train[:2]] == [[63, 0], [41.5, 0]]
    np.testing.assert_equal(age.features(train[2]), [NAN, 1])
    assert [sex.features(one) for one in train] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert sex.features(patient("D", 0, sex="X")) == [0, 0, 0]
    whole = Variable("age", numeric=True).fitted(train[:2])
    np.testing.assert_equal(whole.features(train[2]), [NAN])  # nobody lacked it: imputed, without a marker


def test_one_word_makes_a_column_one_of_words() -> None:
    patients = [patient("A", 0, code="1"), patient("B", 1, code="3T")]
    assert not find_variables(["code"], patients)[0].numeric


def test_variables_alone_predict_a_class_that_follows_from_them() -> None:
    train = [patient(f"T{n}", n % 2, age=str(40 + 30 * (n % 2) + n % 7)) for n in range(24)]
    model = fit_grader("age", "none", train, [], variables=find_variables(["age"], train))
    young, old = (
        next(iter(model.predict([Question(patient("Q", 0, age=age), "grade", None)]))) for age in ("42", "75")
    )
    assert (young.score or 0) < 0.3
    assert (old.score or 0) > 0.7


def fitted(*values: str, variables: tuple[str, ...] = ("age",)) -> ClassicalGrader:
    train = [patient(f"T{number}", number % 2, age=value) for number, value in enumerate(values)]
    return fit_grader("model", "brain", train, [], variables=find_variables(variables, train))


def test_an_answers_key_follows_the_patients_variable_and_the_training_patients() -> None:
    def key(model: ClassicalGrader | Ensemble, said: Mapping[str, str]) -> str:
        return question_key("model", model.settings, Question(patient("Q", 0, **said), "grade", None))

    first, other = fitted("40", "60", "45", "70"), fitted("40", "60", "45", "71")
    for model in (first, Ensemble("both", [first, first])):
        assert key(model, {"age": "50"}) != key(model, {"age": "51"})
        assert key(model, {"age": "50", "sex": "F"}) == key(model, {"age": "50"})
    assert key(first, {"age": "50"}) != key(other, {"age": "50"})
    plain = fitted("40", "60", "45", "70", variables=())
    assert not {"told", "variables", "variables_fitted_on"} & plain.settings.keys()
    assert key(plain, {"age": "50"}) == key(plain, {"age": "51"})


@pytest.mark.parametrize(
    ("grades", "values", "found"),
    [
        ([0, 0, 1, 1], ["40", "50", "60", "70"], "v alone separates"),
        ([0, 0, 1, 1, 2, 2], ["9", "8", "20", "21", "1", "2"], "v alone separates"),
        ([0, 0, 1, 1], ["40", "60", "50", "70"], ""),
        ([0, 0, 1, 1], ["40", "50", "50", "70"], ""),  # a tie: AUC 0.875
        ([0, 0, 1, 1, 0, 0], ["1", "1", "2", "2", "3", "3"], "v alone separates"),  # a code, in no order
        ([0, 0, 1, 1], ["A", "A", "B", "B"], "v alone separates"),
        ([0, 0, 1, 1], ["A", "A", "B", "A"], ""),
        ([0, 0, 1, 1], ["a", "b", "c", "d"], ""),  # a name of each patient tells nothing of others
        ([0, 1], ["40", "60"], ""),
        ([0, 0, 1, 1], ["40", "50", "", "nan"], "whether v is given separates"),
        ([0, 0, 1, 1], ["40", "40", "40", "40"], "v is 40 in all"),
        ([0, 0, 1, 1], ["", "", "", ""], "v is missing in all"),
    ],
)
def test_what_gives_the_class_away_or_tells_nothing(grades: list[int], values: list[str], found: str) -> None:
    said = faults(grades, values)
    assert [one.startswith(found) for one in said] == ([True] if found else [])


def test_a_patient_of_words_is_told_apart_by_them_alone() -> None:
    train = [patient(f"T{n}", n % 2, sex="FM"[n % 2]) for n in range(12)]
    variables = find_variables(["sex"], train)
    model = fit_grader("sex", "none", train, [], variables=variables)
    scores = [one.score for one in model.predict([Question(replace(train[n], id="Q"), "grade", None) for n in (0, 1)])]
    assert (scores[0] or 0) < (scores[1] or 0)
