"""What a training can end in beside a network."""

from gliobench.models.base.errors import ModelError


class DivergedError(ModelError):
    """No judgement of a training gave a finite figure, so nothing was kept; the message says where its curves are."""
