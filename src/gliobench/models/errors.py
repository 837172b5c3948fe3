"""The error that is a person's to mend; this file imports nothing, so that the command line can catch it cheaply."""


class ModelError(ValueError):
    """A model cannot be loaded, or not be asked what was asked; the message says which, why, and what to do."""
