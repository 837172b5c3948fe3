"""Parse a server's reply without trusting it."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliobench.cohort.problem import Problem
from gliobench.errors import GliobenchError, printable
from gliobench.models.base.classified import of_answers
from gliobench.models.base.operating_point import ClassProbability
from gliobench.tasks.answer import Answer, Answered

MOST_TOKENS = 10**9
LEAST_LOGPROB = -1e5
LONGEST_FINISH, LONGEST_NAME = 40, 200  # characters


# Other servers' names of OpenAI's `length` and `content_filter`, and of a generation that was aborted.
CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
FILTERED = frozenset({"content_filter", "safety", "sensitive"})
BROKEN = frozenset(
    {"abort", "aborted", "cancelled", "canceled", "engine_overloaded", "error", "failed"}
    | {"insufficient_system_resource", "network_error", "server_error", "timeout"}
)
THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # vLLM, SGLang and llama.cpp; OpenRouter, newer vLLM; Ollama


class NoAnswerError(GliobenchError, ValueError):
    """A reply that is a fault of the server, whatever its HTTP status; the message says what was found."""


@dataclass(frozen=True)
class TokenChance:
    """One generated token and its alternatives: natural logarithms of probabilities by token."""

    token: str
    top: Mapping[str, float]


@dataclass(frozen=True)
class Reply:
    """A server's answer. `finish` is the server's own value; `refusal` and the counts are None where it gives none.

    `thoughts`: the field that holds all the text where the answer itself is empty, else None. `served`: the name of the
    model and the fingerprint of its system, as far as the server gives them.
    """

    text: str
    finish: str
    refusal: str | None
    answer_tokens: int | None
    prompt_tokens: int | None
    chances: tuple[TokenChance, ...]
    thoughts: str | None = None
    served: str | None = None

    @property
    def cut(self) -> bool:
        """Whether the token limit ended it."""
        return self.finish.lower() in CUT

    @property
    def filtered(self) -> bool:
        """Whether a content filter ended it."""
        return self.finish.lower() in FILTERED


def read_reply(content: Mapping[str, Any]) -> Reply:
    """The first choice of a chat completion.

    Raises NoAnswerError where the reply reports an error, or where nothing was generated: an empty text of 0 tokens, or
    without a token count. A model that ends at once has generated 1, the end token.
    """
    choices = content.get("choices")
    if content.get("error") or content.get("object") == "error":
        raise NoAnswerError(f"the reply is an error{said(content)}")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise NoAnswerError(f"the reply has no choices{said(content)}")
    choice = choices[0]
    message = choice.get("message")
    if choice.get("error"):
        raise NoAnswerError(f"the reply's choice is an error{said(choice)}")
    if not isinstance(message, dict):
        raise NoAnswerError("the reply's choice has no message")
    if message.get("error"):
        raise NoAnswerError(f"the reply's message is an error{said(message)}")
    finish, refusal = choice.get("finish_reason"), message.get("refusal")
    if isinstance(finish, str) and finish.lower() in BROKEN:
        raise NoAnswerError(f"the reply's choice is an error (finish_reason {finish}){said(message.get('content'))}")
    usage = content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    text = _writable(_text(message.get("content")))
    reply = Reply(
        text=text,
        finish=_writable(finish)[:LONGEST_FINISH] if isinstance(finish, str) else "stop",
        refusal=_writable(refusal) if isinstance(refusal, str) and refusal else None,
        answer_tokens=_count(usage.get("completion_tokens")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        chances=_chances(choice.get("logprobs")),
        thoughts=None if text.strip() else next((name for name in THOUGHTS if message.get(name)), None),
        served=_served(content.get("model"), content.get("system_fingerprint")),
    )
    said_otherwise = text.strip() or reply.refusal or reply.thoughts or reply.filtered or message.get("tool_calls")
    if not said_otherwise and not reply.answer_tokens:
        raise NoAnswerError("the reply is empty, of 0 tokens" if reply.answer_tokens == 0 else "the reply is empty")
    return reply


def said(content: Any) -> str:
    """The server's message as one short line to follow a status; empty where there is none."""
    error = content if not isinstance(content, dict) else content.get("error") or content.get("detail") or content
    parts = [error.get("code"), error.get("message")] if isinstance(error, dict) else [error]
    text = printable(" ".join(" ".join(str(part) for part in parts if part).split()))
    return f": {text if len(text) <= 300 else text[:299] + '…'}" if text else ""


def class_probability(reply: Reply, read: Callable[[str], Answer], problem: Problem) -> ClassProbability | None:
    """The probabilities of the classes at the answer's digit (`of_answers`); None where the answer is not a digit.

    `read`: the typed answer of a text. A choice that is not among the returned top tokens counts as 0; tokens such as
    `1` and ` 1` are added up.
    """
    digits = [str(number) for number in range(problem.none + 1)]
    place = _digit_place(reply, read, digits)
    if place is None:
        return None
    chances = dict.fromkeys(digits, 0.0)
    for token, log_probability in place.top.items():
        if token.strip() in chances:
            chances[token.strip()] += math.exp(min(log_probability, 0.0))
    total = sum(chances.values())
    known = total if len(problem.classes) == 2 else total - chances[digits[-1]]
    return of_answers(np.array(list(chances.values())) / total, problem) if known > 0 else None


def _digit_place(reply: Reply, read: Callable[[str], Answer], choices: Sequence[str]) -> TokenChance | None:
    """The token that is the answer's digit: the last one that cannot change without changing the parsed answer.

    The 2 of "High Grade Glioma, bright on T2" can.
    """
    written = "".join(chance.token for chance in reply.chances)
    text = reply.text if reply.text in written else written  # without reasoning before it and an end token
    answer, begin = read(text), written.rindex(text)
    if not isinstance(answer, Answered):
        return None
    digits = [(place, chance) for place, chance in _digits(reply.chances, -begin, choices) if 0 <= place < len(text)]

    def reads_the_same(first: int) -> bool:
        letters = list(text)
        for place, _ in digits[first:]:
            letters[place] = choices[(choices.index(letters[place]) + 1) % len(choices)]
        return read("".join(letters)) == answer

    # Replacing all digits from one on changes the answer up to the answer's digit, not after it: a binary search.
    last = bisect_left(range(len(digits)), True, key=reads_the_same) - 1
    return digits[last][1] if last >= 0 else None


def _digits(chances: Sequence[TokenChance], place: int, choices: Sequence[str]) -> Iterator[tuple[int, TokenChance]]:
    """The tokens that are a choice's digit, with its position in a text whose tokens begin at `place`."""
    for chance in chances:
        digit = chance.token.strip()
        if digit in choices:
            yield place + chance.token.index(digit), chance
        place += len(chance.token)


def _text(content: Any) -> str:
    """A message's content: a text, or the joined texts of a list of parts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _served(*parts: Any) -> str | None:
    told = [_writable(part)[:LONGEST_NAME] for part in parts if isinstance(part, str) and part]
    return printable(", ".join(told)) or None


def _writable(text: str) -> str:
    """The text with `?` for lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def _chances(logprobs: Any) -> tuple[TokenChance, ...]:
    places = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(places, list):
        return ()
    return tuple(
        TokenChance(place["token"], _top(place.get("top_logprobs")))
        for place in places
        if isinstance(place, dict) and isinstance(place.get("token"), str)
    )


def _top(entries: Any) -> dict[str, float]:
    if not isinstance(entries, list):
        return {}
    return {
        entry["token"]: float(entry["logprob"])
        for entry in entries
        if isinstance(entry, dict)
        and isinstance(entry.get("token"), str)
        and isinstance(entry.get("logprob"), int | float)
        and LEAST_LOGPROB <= entry["logprob"] <= 0.1  # above 0 by rounding only
    }
