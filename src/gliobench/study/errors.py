"""The errors that are a person's to mend: shown as a message, without a traceback."""

from gliobench.cohort.subject import CohortError
from gliobench.study.config import StudyError
from gliobench.study.context import StageError

PERSONS_MISTAKES = (CohortError, StudyError, StageError)
