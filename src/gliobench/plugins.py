"""What other packages bring: classes and functions that they name in their entry points, loaded when first needed."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


@cache
def plugins(group: str) -> dict[str, Any]:
    """By name, what installed packages bring under `gliobench.<group>`. Raises ImportError, naming the package, for
    what cannot be imported."""
    return {
        one.name: _loaded(one) for one in sorted(entry_points(group=f"gliobench.{group}"), key=lambda one: one.name)
    }


def modules_of(group: str) -> tuple[str, ...]:
    """The importable packages and modules, without what is below them, whose code the plugins of a group are."""
    return tuple(sorted({one.module.split(".")[0] for one in entry_points(group=f"gliobench.{group}")}))


def package_of(group: str, name: str) -> str | None:
    """The package that brings a plugin; None where no package does."""
    found = [one for one in entry_points(group=f"gliobench.{group}") if one.name == name]
    return found[0].dist.name if found and found[0].dist else None


def _loaded(one: EntryPoint) -> Any:
    try:
        return one.load()
    except Exception as error:
        package = one.dist.name if one.dist else "a package"
        raise ImportError(f"{package}: its entry point {one.name} = {one.value} cannot be loaded: {error}") from error
