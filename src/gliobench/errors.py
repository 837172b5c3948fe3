"""The base of all errors that are a person's to mend, and how text from outside is made fit for a terminal; imports
nothing, so that everything may import it."""


class GliobenchError(Exception):
    """What a person can mend: the message says what was found, what was expected and what to do.

    The command line shows it as one message, with exit status 2. Anything else is a bug, and ends in a traceback.
    """


def printable(text: str) -> str:
    """Text for a terminal: what it holds of control characters, or of bytes that are no text, is escaped."""
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)
