"""No model is tested on its own training patients."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from gliobench.cohort.patients import patients_of, scans_of
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question


def refuse_training_patients(name: str, trained_on: AbstractSet[str], questions: Sequence[Question]) -> None:
    """Raise ModelError where a question is about a patient that the model was trained on, whichever the scan."""
    if seen := scans_of(patients_of(question.subject for question in questions), trained_on):
        raise ModelError(f"{trained_on_tested(name, seen)}: test it on other patients")


def trained_on_tested(name: str, seen: Sequence[str]) -> str:
    """What is wrong with a model or checkpoint that was trained on the test scans `seen`."""
    shown = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "")
    return f"{name} was trained on {len(seen)} of the test patients ({shown}; leakage)"
