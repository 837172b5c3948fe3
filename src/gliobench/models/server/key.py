"""The key of a server: read from the environment, sent, and never shown."""

import os
from typing import Any

from gliobench.models.base.errors import ModelError

SHORTEST = 8  # characters; a shorter "key" could be an ordinary word of an answer
SHOWN_AS = "[key]"


class Key:
    """A secret. Its text is in the header of a request and nowhere else: not in `repr`, not in a message."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return SHOWN_AS

    @property
    def header(self) -> dict[str, str]:
        """The header that carries the key."""
        return {"Authorization": f"Bearer {self._text}"}

    def hidden_in(self, content: Any) -> Any:
        """The same text or plain JSON without the key in it: a server can send back what it was sent."""
        match content:
            case str():
                return content.replace(self._text, SHOWN_AS)
            case list():
                return [self.hidden_in(part) for part in content]
            case dict():
                return {self.hidden_in(name): self.hidden_in(part) for name, part in content.items()}
        return content


def read_key(variable: str | None) -> Key | None:
    """The key in an environment variable, None where no variable is named.

    Raises ModelError where the variable is empty or does not hold a key.
    """
    if variable is None:
        return None
    text = os.environ.get(variable, "").strip()
    if not text:
        raise ModelError(f"the environment variable {variable} (key_env) is not set: put the server's key into it")
    if len(text) < SHORTEST or not text.isascii() or not text.isprintable() or " " in text:
        raise ModelError(
            f"the environment variable {variable} (key_env) does not hold a key: expected {SHORTEST} or more plain "
            "characters without spaces. For a server without a key remove key_env"
        )
    return Key(text)
