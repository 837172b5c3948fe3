"""Errors of training."""

from gliobench.models.base.errors import ModelError


class DivergedError(ModelError):
    """Training diverged: no validation loss was finite, so nothing was kept; the message names the curves."""
