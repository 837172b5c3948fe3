"""The house keeps its order: imports run one way only, and opening the command line stays quick."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gliobench
from gliobench.study.kinds import BUILT_IN
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.kinds.speaking import SpeakingConfig
from gliobench.study.kinds.vision import VisionModelConfig
from gliobench.tasks import registry

SOURCE = Path(gliobench.__file__).parent
ROOMS = ("cohort", "grid", "tasks", "models", "training", "records", "scoring", "replay", "report", "study", "cli")
# Words that are no task: a kind of prompt, a key of JSON, a column of a table, a tensor.
NO_TASK = {
    "models/vision/segmenter.py": {"box"},
    "records/value.py": {"mask"},
    "study/kinds/segmenter.py": {"box"},
    "study/replication/run.py": {"grade"},
    "study/plan/vision.py": {"box"},
    "training/augment.py": {"mask"},
}
GRADE_IS_A_COLUMN = {  # of tables
    *(f"report/{name}.py" for name in ("confusion", "consistency", "reliability", "samples", "votes", "words")),
    *(f"scoring/{name}.py" for name in ("consistency", "decision_curve", "matching", "pool", "subgroups", "summary")),
}
ROOMS_INSIDE = {  # in order too
    "models": (
        *("base", "views", "checkpoints", "tiny", "baselines", "classical", "networks", "nnunet", "language", "server"),
        *("vision", "external"),
    ),
    "study": (
        *(
            "parts",
            "kinds",
            "config",
            "state",
            "asking",
            "stages",
            "plan",
            "showing",
            "sites",
            "replication",
            "starting",
            "catalogue",
            "run",
            "jobs",
        ),
    ),
}
# Whose functions import what stands to their right: a kind of model does its work by the stages' means, and whether a
# checkpoint loads is tried with what loads it.
REACHING = {"kinds", "checkpoints"}
HEAVY = {"torch", "monai", "lightning", "transformers", "matplotlib", "pandas", "skimage", "sklearn", "scipy"}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
        elif isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
    return modules


def test_imports_run_one_way_only() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        if room(path) not in ROOMS:
            continue
        for module in imported_modules(path):
            parts = module.split(".")
            ours = parts[0] == "gliobench" and len(parts) > 1 and parts[1] in ROOMS
            if ours and ROOMS.index(parts[1]) > ROOMS.index(room(path)):
                wrong.append(f"{path.relative_to(SOURCE)} imports {module}")
    assert not wrong


def inside(module: str, room: str) -> str | None:
    """The room inside a room that a module belongs to."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 and parts[:2] == ["gliobench", room] else None


@pytest.mark.parametrize("room", ROOMS_INSIDE)
def test_imports_run_one_way_inside_a_room_too(room: str) -> None:
    order, wrong = ROOMS_INSIDE[room], []
    for path in (SOURCE / room).glob("*/**/*.py"):
        tree, own = ast.parse(path.read_text()), path.relative_to(SOURCE / room).parts[0]
        for nodes, free in ((tree.body, False), (function_bodies(tree), own in REACHING)):
            for node in nodes:
                other = inside(node.module or "", room) if isinstance(node, ast.ImportFrom) else None
                if other and not free and order.index(other) > order.index(own):
                    wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno} imports {node.module}")
    assert not wrong
    assert {path.name for path in (SOURCE / room).glob("*") if path.is_dir() and path.name[0] != "_"} <= set(order)


def function_bodies(tree: ast.AST) -> list[ast.AST]:
    """All that stands in functions; what is imported for types alone stands in none."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [node for function in functions for node in ast.walk(function)]


def test_help_opens_without_the_heavy_libraries() -> None:
    code = "import sys, gliobench.cli.app; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_all_errors_have_one_base() -> None:
    """The command line shows a `GliobenchError` as one message; what is no person's mistake keeps its traceback."""
    builtin = {"Exception", "ValueError", "RuntimeError", "OSError", "LookupError", "KeyError", "TypeError"}
    wrong = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "GliobenchError":
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if bases & builtin and "GliobenchError" not in bases:
                    wrong.append(f"{path.relative_to(SOURCE)}: {node.name}")
    assert not wrong


def test_stages_do_not_ask_which_kind_a_model_is() -> None:
    """What a kind is stands in its class: a stage that asks for a class is one more place to edit for a new kind."""
    kinds = {kind.__name__ for kind in (*BUILT_IN, SpeakingConfig, VisionModelConfig)}
    asked = []
    for path in (SOURCE / "study").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                named = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
                if named & kinds and path.parent.name != "kinds":
                    asked.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert not asked


def test_no_task_is_named_outside_its_file() -> None:
    """Another task is then a file: what is asked of one is asked of all. Rooms before `tasks` cannot know any."""
    names, wrong = {task.name for task in registry.BUILT_IN}, []
    for path in SOURCE.rglob("*.py"):
        inside = path.relative_to(SOURCE)
        if room(path) in ROOMS and ROOMS.index(room(path)) < ROOMS.index("tasks"):
            continue
        allowed = NO_TASK.get(str(inside), set()) | ({path.stem} if inside.parent.name == "tasks" else set())
        allowed |= {"grade"} if str(inside) in GRADE_IS_A_COLUMN else set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in names - allowed:
                wrong.append(f"{inside}:{node.lineno}: {node.value}")
    assert not wrong


def test_a_kind_says_what_of_the_truth_it_sees() -> None:
    class Forgetful(ModelConfig):
        """Built, and silent about the truth."""

        def build(self, context: Any, round: Any, plane: Any) -> Any:
            raise NotImplementedError

    with pytest.raises(TypeError, match="oracles"):
        Forgetful(kind="forgetful", name="x")  # type: ignore[abstract]
