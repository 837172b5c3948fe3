"""A fine-tuned vision-language model: asked as any other, but never about a patient that it has learnt from."""

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
    """`asked`: the model with what it has learnt. `learnt_from`: the ids of the patients whose truth it has seen, to
    learn or to decide."""

    asked: Model
    learnt_from: frozenset[str]

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
        """Everything that could change an answer."""
        return self.asked.settings

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """As the model itself. Raises ModelError for a patient that was learnt from."""
        refuse_training_patients(self.name, self.learnt_from, questions)
        return self.asked.predict(questions)


def learnt_from(source: str | Path | None) -> frozenset[str]:
    """Whom a checkpoint or adapter has learnt from, where a fine-tuning wrote it down; a hub's are not known.

    Raises ModelError where what it wrote is damaged.
    """
    if source is None or not (path := Path(source).expanduser() / DESCRIPTION).is_file():
        return frozenset()
    try:
        found = read_json(path, "learnt_from")
    except DamagedError as error:
        raise ModelError(f"{error}: whom it has learnt from is not known, so nobody can be asked about") from error
    if faults := Stamp("", 0.0, found.get("files", {})).faults(path.parent):  # earlier versions kept no checksums
        raise ModelError(f"{'; '.join(faults.values())}: put it back from a copy, or fine-tune again")
    return frozenset(found["learnt_from"])
