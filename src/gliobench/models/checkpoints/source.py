"""What all loaders of transformers' checkpoints share: source, configuration, digest and device."""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gliobench.models.base.errors import ModelError, first_line

HASHED = (".safetensors", ".json", ".jinja", ".model", ".txt")  # weights, configurations, templates, vocabularies


def source_folder(source: str | Path) -> Path | None:
    """The folder that `source` names, or None for a Hub id (one or two plain names joined by a slash)."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve()
    if isinstance(source, Path) or path.is_absolute() or source.startswith((".", "~")) or len(path.parts) > 2:
        found = "is a file" if path.exists() else "does not exist"
        raise ModelError(
            f"{path} {found}: expected the folder of a transformers checkpoint (config.json, *.safetensors), "
            "or a Hub id"
        )
    return None


def device_name(device: str) -> str:
    """torch's name of a device; "auto" is the first GPU, else the CPU."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def read_config(where: str, options: Mapping[str, Any]) -> Any:
    """The configuration of the checkpoint in a folder or on the Hub. Raises ModelError where there is none."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(where, **options)
    except StrictDataclassError as error:  # an entry of the wrong type for transformers
        raise ModelError(f"the config.json of {where} is damaged: {' '.join(str(error).split())}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"No checkpoint configuration could be read from {where}. If it is a folder, it needs a config.json; "
            f"if it is a Hub id, check its spelling, your access to it and the network. ({first_line(error)})"
        ) from error


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files that can change an answer, in the order of their names.

    A folder is read once per process, as long as its files' sizes and times stay the same.
    """
    files = [path for path in sorted(folder.iterdir()) if path.suffix in HASHED and path.is_file()]
    return _digest(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=32)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    total = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def load_weights(where: str, load: Callable[..., Any], dtype: Any, options: Mapping[str, Any]) -> Any:
    """A transformers model by `load`, from safetensors alone.

    Raises ModelError for weights that are damaged, pickled or incomplete.
    """
    try:
        model, found = load(
            where, dtype=dtype, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except ImportError as error:  # of a quantised checkpoint
        raise ModelError(f"the weights of {where} need a package that is not installed: {first_line(error)}") from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The weights of {where} cannot be loaded: expected undamaged *.safetensors that fit its config.json "
            f"(pickled weights are never read). ({first_line(error)})"
        ) from error
    if found["mismatched_keys"]:
        name, stored, expected = min(found["mismatched_keys"])
        raise ModelError(
            f"{where}: its weights do not match its config.json: {len(found['mismatched_keys'])} have another "
            f"shape ({name}: stored {tuple(stored)}, expected {tuple(expected)}); use both from the same checkpoint"
        )
    if found["missing_keys"]:
        names = sorted(found["missing_keys"])
        raise ModelError(
            f"{where} lacks {len(names)} of the model's weights ({names[0]}, …): they would be random; "
            "use a complete checkpoint"
        )
    return model
