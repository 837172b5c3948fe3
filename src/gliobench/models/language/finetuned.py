"""A fine-tuned vision-language model: asked as any other, but never about a patient that it was trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gliobench.integrity import DamagedError, Stamp, read_json
from gliobench.models.base.errors import ModelError
from gliobench.models.base.leakage import refuse_training_patients
from gliobench.models.base.prediction import Model, Prediction, Question, Settings

DESCRIPTION = "finetune.json"


@dataclass(frozen=True, eq=False)
class FinetunedModel:
    """`asked`: the fine-tuned model. `trained_on`: the ids of its training and validation patients."""

    asked: Model
    trained_on: frozenset[str]

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.asked.name

    @property
    def tasks(self) -> frozenset[str]:
        """What it can be asked."""
        return self.asked.tasks

    @property
    def per_slice(self) -> bool:
        """Whether it is asked about slices."""
        return self.asked.per_slice

    @property
    def settings(self) -> Settings:
        """Everything that can change an answer."""
        return self.asked.settings

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """As the model itself. Raises ModelError for a patient it was trained on."""
        refuse_training_patients(self.name, self.trained_on, questions)
        return self.asked.predict(questions)


def trained_on(source: str | Path | None) -> frozenset[str]:
    """The patients that a checkpoint or adapter was trained on, where a fine-tuning recorded them; none for the Hub's.

    Raises ModelError where the record is damaged.
    """
    if source is None or not (path := Path(source).expanduser() / DESCRIPTION).is_file():
        return frozenset()
    try:
        found = read_json(path, "trained_on")
    except DamagedError as error:
        raise ModelError(f"{error}: its training patients are not known, so leakage cannot be ruled out") from error
    if faults := Stamp("", 0.0, found.get("files", {})).faults(path.parent):  # earlier versions kept no checksums
        raise ModelError(f"{'; '.join(faults.values())}: restore it from a copy, or fine-tune again")
    return frozenset(found["trained_on"])
