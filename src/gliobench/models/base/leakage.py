"""No model is tested on its own training patients."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from gliobench.cohort.patients import patients_of, scans_of
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question


def refuse_training_patients(name: str, learnt_from: AbstractSet[str], questions: Sequence[Question]) -> None:
    """Raise ModelError where a question is about a patient that the model was trained on, whichever the scan."""
    if seen := scans_of(patients_of(question.subject for question in questions), learnt_from):
        raise ModelError(
            f"{name} was trained on {len(seen)} of the patients that it is asked about ({', '.join(seen[:5])}"
            f"{', …' if len(seen) > 5 else ''}; leakage): test it on other patients"
        )
