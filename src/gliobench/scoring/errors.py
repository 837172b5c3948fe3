"""Errors of scoring, in a file that imports nothing heavy."""

from gliobench.errors import GliobenchError


class CompareError(GliobenchError, ValueError):
    """Two runs, or some of their models or patients, cannot be compared; the message says why."""
