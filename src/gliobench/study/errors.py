"""The errors that are a person's to mend: shown as a message, without a traceback."""

from gliobench.cohort.subject import CohortError
from gliobench.grid.splits import SplitError
from gliobench.grid.store import StoreError
from gliobench.models.errors import ModelError
from gliobench.records.errors import RecordError
from gliobench.replay.errors import ReplayError
from gliobench.scoring.errors import CompareError
from gliobench.study.config import StudyError
from gliobench.study.context import StageError
from gliobench.tasks.prompt import PromptError

PERSONS_MISTAKES = (
    CohortError,
    StoreError,
    SplitError,
    PromptError,
    ModelError,
    RecordError,
    ReplayError,
    CompareError,
    StudyError,
    StageError,
)
