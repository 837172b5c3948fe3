"""The key `seen:` of a pretrained checkpoint: which patients were in its training elsewhere."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from gliobench.ranges import Text, once

Ids = Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(once)]
Seen = Literal["unknown", "none"] | Ids


def seen_words(seen: Any) -> str:
    """What is declared, in words."""
    return seen if isinstance(seen, str) else f"{len(seen)} patients by id"
