"""What a model's entry names outside the study file, by content: a path says nothing about what lies there now."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gliobench.grid.regions import WHOLE, Region
from gliobench.study.config import PATH_KEYS, AnyModel
from gliobench.study.language_parts import LanguageModel, ServerModel
from gliobench.tasks.prompt import Prompt, read_prompt_file, region_prompt

# What `contents` says by content, and what others say so: `start`, `weights`, `answers`, `masks`; `python` decides
# nothing.
BY_CONTENT = frozenset({"checkpoint", "adapter", *PATH_KEYS})


def contents(part: AnyModel, region: Region = WHOLE) -> dict[str, Any]:
    """The prompts that an entry asks in (none where they are the project's own of the whole tumour), its checkpoint and
    its adapter: name and SHA-256 of a folder, or the hub id.

    Raises PromptError and ModelError for what is not there or cannot be read.
    """
    prompts = own_prompts(part.prompts, part.tasks, region) if isinstance(part, LanguageModel | ServerModel) else None
    checkpoint, adapter = getattr(part, "checkpoint", None), getattr(part, "adapter", None)
    return {
        "prompts": {task: vars(prompt) for task, prompt in (prompts or {}).items()},
        "checkpoint": _checkpoint(checkpoint) if checkpoint else None,
        "adapter": _adapter(adapter) if adapter else None,
    }


def own_prompts(path: Path | None, tasks: Sequence[str], region: Region = WHOLE) -> dict[str, Prompt] | None:
    """A study's own prompts for the tasks, the region that it asks about named in them; None where the tasks' own hold.
    Raises PromptError."""
    if path:
        return {task: read_prompt_file(path, task).of(region) for task in tasks}
    return None if region == WHOLE else {task: region_prompt(task, region) for task in tasks}


def _checkpoint(source: str) -> str:
    from gliobench.models.source import folder_digest, source_folder

    folder = source_folder(source)
    return f"{folder.name} {folder_digest(folder)}" if folder else source


def _adapter(source: str) -> str:
    from gliobench.models.adapter import adapter_folder, adapter_identity

    return adapter_identity(adapter_folder(source)) if Path(source).expanduser().is_dir() else source
