"""The errors of keeping answers that are a person's to mend."""


class RecordError(RuntimeError):
    """Answers cannot be written; the message says to which file, why, and what is safe."""
