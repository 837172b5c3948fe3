"""The errors of keeping answers that are a person's to mend."""

from gliobench.errors import GliobenchError


class RecordError(GliobenchError, RuntimeError):
    """Answers cannot be written, or are not worth it; the message says which, why, and what is safe."""
