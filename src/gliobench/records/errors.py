"""The errors of keeping answers that a person can fix."""

from gliobench.errors import GliobenchError


class RecordError(GliobenchError, RuntimeError):
    """Answers cannot be written or read, or are invalid; the message says which, why, and what is kept."""
