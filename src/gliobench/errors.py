"""The base of all errors that are a person's to mend; imports nothing, so that everything may import it."""


class GliobenchError(Exception):
    """What a person can mend: the message says what was found, what was expected and what to do.

    The command line shows it as one message, with exit status 2. Anything else is a bug, and ends in a traceback.
    """
