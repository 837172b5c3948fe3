"""Prompts from files: a named set of the package, or a user's own."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from gliobench.errors import GliobenchError
from gliobench.tasks.prompt import MOST_TOKENS, Prompt
from gliobench.tasks.registry import TASKS
from gliobench.yaml_file import YamlFileError, read_text, read_yaml


class PromptError(GliobenchError, ValueError):
    """A prompt file cannot be used; the message says which, and what is expected in it."""


def packaged_prompts() -> dict[str, Path]:
    """The files of prompts that come with the package, by name."""
    found = Path(str(files("gliobench.tasks"))).joinpath("prompts").glob("*.yaml")
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def named_prompts(path: Path) -> Path | None:
    """The packaged file that `path` names, such as `reference-study` or `reference-study#grade`; None where it names
    none. The name has precedence over a user's file with the same name."""
    name, _, key = str(path).partition("#")
    found = packaged_prompts().get(name)
    return found and found.with_name(f"{found.name}#{key}" if key else found.name)


def is_about_gliomas(path: Path) -> bool:
    """Whether a packaged file of prompts asks about gliomas in its own words, not about any problem in that one's."""
    name, _, _ = str(path).partition("#")
    return bool(named_prompts(path)) and "{scan}" not in read_text(packaged_prompts()[Path(name).stem])


def read_prompt_file(path: Path | str, task: str, key: str | None = None) -> Prompt:
    """A user's own prompt for a task, from a file: plain text, or YAML with one entry per key.

    A YAML entry (`.yaml`, `.yml`) has `text` and may have `max_new_tokens` and `version`; other keys, such as a
    temperature, are left to the study file. The entry is the one named by `key`, else by what follows `#` in the path
    (`prompts.yaml#grade_finetuned`), else by the task. By default the token limit is that of the task's own prompt, and
    the version is the text's SHA-256. Raises PromptError.
    """
    path = Path(path)
    if not path.is_file() and "#" in path.name:
        name, _, fragment = path.name.rpartition("#")
        path, key = path.with_name(name), key or fragment
    key = key or task
    try:
        if path.suffix.lower() not in (".yaml", ".yml"):
            return _prompt(path, path.stem, task, {"text": read_text(path)})
        return _prompt(path, f"{path.stem}#{key}", task, _entry(path, read_yaml(path).content, key))
    except FileNotFoundError:
        raise PromptError(f"{path}: the prompt file does not exist; expected UTF-8 text or YAML") from None
    except YamlFileError as error:
        raise PromptError(str(error)) from None


def _entry(path: Path, entries: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(entries, Mapping) or not isinstance(entries.get(key), Mapping):
        known = ", ".join(map(str, entries)) if isinstance(entries, Mapping) else "no keys"
        raise PromptError(f"{path}: no prompt under the key {key!r} (found {known}); expected `{key}:` with `text:`")
    return dict(entries[key])


def _prompt(path: Path, name: str, task: str, entry: Mapping[str, Any]) -> Prompt:
    text, limit = entry.get("text"), entry.get("max_new_tokens", TASKS[task].prompt.max_new_tokens)
    if not isinstance(text, str) or not text.strip():
        raise PromptError(f"{path}: the prompt {name} has no text")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_TOKENS:
        raise PromptError(
            f"{path}: max_new_tokens of {name} is {limit!r}; expected a whole number of 1 to {MOST_TOKENS}"
        )
    version = entry.get("version", f"sha256:{hashlib.sha256(text.strip().encode()).hexdigest()[:12]}")
    return Prompt(name, str(version), text.strip(), limit)
