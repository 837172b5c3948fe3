"""The errors of answers that cannot be used."""

from gliobench.errors import GliobenchError


class ReplayError(GliobenchError, ValueError):
    """Answers that cannot be scored as they are; the message names the file, the line, and what to do."""


class TornLineError(ReplayError):
    """The last line of a file stops in its middle, as did what wrote it."""
