"""What a model's entry names outside the study file, by content: a path says nothing about what lies there now."""

from pathlib import Path
from typing import Any

from gliobench.grid.regions import WHOLE, Region
from gliobench.study.kinds.base import PATH_KEYS, ModelConfig

# What `contents` says by content, and what others say so: `start`, `weights`, `answers`, `masks`; `python` decides
# nothing.
BY_CONTENT = frozenset({"checkpoint", "adapter", *PATH_KEYS})


def contents(config: ModelConfig, region: Region = WHOLE) -> dict[str, Any]:
    """The prompts that an entry asks in (none where they are the project's own of the whole tumour), its checkpoint and
    its adapter: name and SHA-256 of a folder, or the hub id.

    Raises PromptError and ModelError for what is not there or cannot be read.
    """
    checkpoint, adapter = getattr(config, "checkpoint", None), getattr(config, "adapter", None)
    return {
        "prompts": {task: vars(prompt) for task, prompt in config.prompts_of(region).items()},
        "checkpoint": _checkpoint(checkpoint) if checkpoint else None,
        "adapter": _adapter(adapter) if adapter else None,
    }


def _checkpoint(source: str) -> str:
    from gliobench.models.checkpoints.source import folder_digest, source_folder

    folder = source_folder(source)
    return f"{folder.name} {folder_digest(folder)}" if folder else source


def _adapter(source: str) -> str:
    from gliobench.models.checkpoints.adapter import adapter_folder, adapter_identity

    return adapter_identity(adapter_folder(source)) if Path(source).expanduser().is_dir() else source
