"""Separating a model's reasoning from its answer."""

import re

TAGS = r"think|thinking|thought|thoughts|reasoning|reflection|seed:think"
OPENING = re.compile(rf"<(?:{TAGS})>|\[THINK\]|◁think▷|<\|begin_of_thought\|>", re.IGNORECASE)
CLOSING = re.compile(rf"</(?:{TAGS})>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>", re.IGNORECASE)
# Harmony (gpt-oss) writes each part as <|channel|>NAME<|message|>TEXT; only the channel `final` is the answer.
CHANNEL = re.compile(r"<\|channel\|>\s{0,4}(\w{1,40})[^<]{0,80}(?:<\|[a-z]{1,20}\|>[^<]{0,80}){0,2}?<\|message\|>")
CHANNEL_OPENING = "<|channel|>"
CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")


def without_thoughts(text: str) -> str | None:
    """The text after the reasoning; None where it ends within the reasoning.

    Reasoning is between two markers, or before a closing one alone where the chat template wrote the opening one. Text
    before reasoning is a draft, so only the text after the last reasoning counts.
    """
    if CHANNEL_OPENING in text:
        return _final_channel(text)
    ends = [match.end() for match in CLOSING.finditer(text)]
    rest = text[ends[-1] :] if ends else text
    return None if OPENING.search(rest) else rest


def _final_channel(text: str) -> str | None:
    channels = list(CHANNEL.finditer(text))
    if not channels or channels[-1][1] != "final" or CHANNEL_OPENING in text[channels[-1].end() :]:
        return None
    return CHANNEL_END.split(text[channels[-1].end() :], maxsplit=1)[0]
