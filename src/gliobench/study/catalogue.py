"""What there is to choose from: kinds of models, tasks, metrics, layouts, problems, networks, baselines, views and
controls; and what is experimental: options that were never run on the hardware that they are for."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gliobench.plugins import package_of

OURS = "built in"


@dataclass(frozen=True)
class Entry:
    """One thing that a study can name: what it is called, which package brings it, and what it is in a line."""

    name: str
    package: str
    summary: str


def catalogue(group: str) -> list[Entry]:
    """The entries of one of `GROUPS`, built in first."""
    found = [Entry(name, package_of(group, name) or OURS, text) for name, text in GROUPS[group]()]
    return sorted(found, key=lambda entry: entry.package != OURS)


def _kinds() -> Iterator[tuple[str, str]]:
    from gliobench.study.kinds import KINDS

    return ((name, _first_line(kind)) for name, kind in KINDS.items())


def _tasks() -> Iterator[tuple[str, str]]:
    from gliobench.tasks.registry import TASKS

    return ((name, task.summary) for name, task in TASKS.items())


def _metrics() -> Iterator[tuple[str, str]]:
    from gliobench.scoring.registry import BY_ID
    from gliobench.tasks.registry import TASKS

    for metric in BY_ID.values():
        first = [name for name, task in TASKS.items() if metric.id in task.primary]
        words = f"{metric.title}, {metric.better} is best" if metric.better not in ("higher", "lower") else ""
        words = words or f"{metric.title}, {metric.better} is better"
        yield metric.id, f"{words}; first figure of {', '.join(first)}" if first else words


def _layouts() -> Iterator[tuple[str, str]]:
    from gliobench.cohort.layouts import LAYOUTS

    return ((name, layout.expects) for name, layout in LAYOUTS.items())


def _problems() -> Iterator[tuple[str, str]]:
    from gliobench.cohort.problem import PROBLEMS

    for name, problem in PROBLEMS.items():
        classes = f"{problem.asked} {', '.join(problem.classes)}; " if problem.classes else ""
        yield name, f"{classes}{problem.finding_words} in {', '.join(problem.names)}"


def _networks() -> Iterator[tuple[str, str]]:
    from gliobench.models.networks import NETWORKS

    return ((name, f"answers {network.task}") for name, network in NETWORKS.items())


def _baselines() -> Iterator[tuple[str, str]]:
    from gliobench.models.baselines import BASELINES

    return ((name, _first_line(make)) for name, make in BASELINES.items())


def _views() -> Iterator[tuple[str, str]]:
    from gliobench.models.views.registry import LAYOUTS

    for name, view in LAYOUTS.items():
        slices, images = view.slices[0], view.modalities
        yield name, f"{slices} slice{'s' * (slices > 1)} of {images} image{'s' * (images > 1)}"


def _controls() -> Iterator[tuple[str, str]]:
    from gliobench.grid.controls import CONTROLS

    return ((name, control.summary) for name, control in CONTROLS.items())


def _experimental() -> Iterator[tuple[str, str]]:
    from gliobench.models.checkpoints import load as checkpoint
    from gliobench.models.checkpoints import quantised, unsloth
    from gliobench.training import fit

    return (module.EXPERIMENTAL for module in (quantised, checkpoint, unsloth, fit))


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").strip().split("\n")[0]


GROUPS: Mapping[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "kinds": _kinds,
    "tasks": _tasks,
    "metrics": _metrics,
    "layouts": _layouts,
    "problems": _problems,
    "networks": _networks,
    "baselines": _baselines,
    "views": _views,
    "controls": _controls,
    "experimental": _experimental,
}
