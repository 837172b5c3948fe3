"""The errors of keeping answers that are a person's to mend."""


class RecordError(RuntimeError):
    """Answers cannot be written, or are not worth it; the message says which, why, and what is safe."""
