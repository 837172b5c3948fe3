"""The base of all errors that a person can fix, and how foreign text is escaped for a terminal; imports nothing, so
that everything may import it."""


class GliobenchError(Exception):
    """An error that a person can fix: the message says what was found, what was expected and what to do.

    The command line shows it as one message, with exit status 2. Anything else is a bug, and ends in a traceback.
    """


def printable(text: str) -> str:
    """Text for a terminal: control characters, and bytes that are not text, are escaped."""
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)
