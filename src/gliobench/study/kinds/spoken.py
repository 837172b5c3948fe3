"""What a kind of model says of answers in words about slices; nothing of it for all others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from gliobench.grid.regions import Region
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    from gliobench.models.views.view import View
    from gliobench.tasks.prompt import Prompt

Aggregate = Literal["majority", "mean-probability", "learned"]  # see `gliobench.scoring.aggregate`


class SpokenHooks:
    """What stages ask of how an entry answers in words; by default it does not."""

    @property
    def spoken_tasks(self) -> tuple[str, ...]:
        """The tasks that it answers in words, slice by slice."""
        return ()

    @property
    def picture(self) -> "View | None":
        """What it is shown of a slice, where it answers in words."""
        return None

    def prompts_of(self, region: Region) -> "Mapping[str, Prompt]":
        """Prompts for its tasks that are not the project's own of the whole tumour. Raises PromptError."""
        return {}

    def varied(self, key: Literal["prompts", "view"], value: Any) -> Self | None:
        """The entry with other prompts, or another view; None where it is not asked in words, or is fine-tuned on its
        own. Raises ValueError for a view that does not fit the study."""
        return None

    def samples(self, task: str) -> bool:
        """Whether it draws its answers to a task, so that the same question can be answered in two ways."""
        return False

    def sampling_words(self, task: str) -> str:
        """How its answers to a task are drawn."""
        return "one answer"

    @property
    def aggregation(self) -> Aggregate:
        """How its slices become a patient's grade."""
        return "majority"

    @property
    def learns_aggregate(self) -> bool:
        """Whether validation patients teach how its slices become a grade, so that it is asked about them too."""
        return self.aggregation == "learned" and GRADE.name in self.spoken_tasks

    def asked_on_validation(self, task: str) -> bool:
        """Whether it is asked about validation patients too, who choose for its camp or teach how slices become a
        grade."""
        return task == GRADE.name and self.learns_aggregate

    @property
    def asked_elsewhere_fault(self) -> str | None:
        """Why its questions cannot be written down to be asked elsewhere."""
        return None
