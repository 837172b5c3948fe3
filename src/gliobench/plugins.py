"""Plugins: classes and functions that other packages name in their entry points, loaded at first use."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from gliobench.errors import GliobenchError

T = TypeVar("T")


class PluginError(GliobenchError, ImportError):
    """What an installed package brings cannot be used; the message names the package and its entry point."""


class Registry(Mapping[str, T]):
    """By name, the built-in ones, then those of installed packages under `gliobench.<group>`, each converted by `made`.

    They are loaded at first use, not at import: a package's module imports what it extends. `made`: of the name and the
    object of an entry point. `brought_first`: those of packages come before the built-in ones. Raises PluginError for
    what cannot be imported and for a name that is built in.
    """

    def __init__(
        self,
        group: str,
        built_in: Mapping[str, T],
        made: Callable[[str, Any], T] = lambda name, one: one,
        *,
        brought_first: bool = False,
    ) -> None:
        self._group, self._built_in, self._made, self._brought_first = group, built_in, made, brought_first

    @cached_property
    def _every(self) -> Mapping[str, T]:
        found = plugins(self._group)
        if taken := sorted(found.keys() & self._built_in.keys()):
            raise PluginError(f"{package_of(self._group, taken[0])}: {taken[0]} is built in: give it another name")
        brought = {name: self._made(name, one) for name, one in found.items()}
        return {**brought, **self._built_in} if self._brought_first else {**self._built_in, **brought}

    def __getitem__(self, name: str) -> T:
        return self._every[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._every)

    def __len__(self) -> int:
        return len(self._every)


@cache
def plugins(group: str) -> dict[str, Any]:
    """By name, what installed packages bring under `gliobench.<group>`. Raises PluginError for what cannot be
    imported."""
    return {
        one.name: _loaded(one) for one in sorted(entry_points(group=f"gliobench.{group}"), key=lambda one: one.name)
    }


def modules_of(group: str) -> tuple[str, ...]:
    """The top-level packages and modules with the code of a group's plugins."""
    return tuple(sorted({one.module.split(".")[0] for one in entry_points(group=f"gliobench.{group}")}))


def package_of(group: str, name: str) -> str | None:
    """The package of a plugin; None where no package has it."""
    found = [one for one in entry_points(group=f"gliobench.{group}") if one.name == name]
    return found[0].dist.name if found and found[0].dist else None


def _loaded(one: EntryPoint) -> Any:
    try:
        return one.load()
    except Exception as error:
        package = one.dist.name if one.dist else "a package"
        raise PluginError(f"{package}: its entry point {one.name} = {one.value} cannot be loaded: {error}") from error
