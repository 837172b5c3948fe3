"""What a run was reported with: packages, machine and commit; nothing that names a person or a place."""

import platform
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from gliobench.doctor import accelerator, memory_gib, usable_processors

ENVIRONMENT = "environment.json"


def environment() -> dict[str, Any]:
    """The process's environment as plain JSON: `gliobench` (version, commit), `python`, `system`, `machine`,
    `processors` (usable), `memory_gib`, `accelerator`, and `packages`, every installed one with its version."""
    return {
        "gliobench": {"version": version("gliobench"), "commit": commit()},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": usable_processors(),
        "memory_gib": round(memory_gib(), 1),
        "accelerator": accelerator(),
        "packages": {one.name: one.version for one in sorted(distributions(), key=lambda one: one.name.lower())},
    }


def commit(file: Path = Path(__file__)) -> str | None:
    """The commit of the git checkout that `file` is part of, with "-dirty" where tracked files differ from it; None
    where it is part of none."""
    try:
        _git(file, "ls-files", "--error-unmatch", file.name)  # an installed package can lie within another checkout
        return _git(file, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(file: Path, *command: str) -> str:
    done = subprocess.run(["git", *command], cwd=file.parent, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()
