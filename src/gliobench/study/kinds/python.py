"""Entries of a study file for a person's own model in Python."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator

from gliobench.ranges import Text
from gliobench.study.kinds.base import ModelConfig, Scope
from gliobench.study.parts.paths import resolved

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model
    from gliobench.models.external.python_class import OwnModel
    from gliobench.study.config.study import Study
    from gliobench.study.state.context import Context, Round


class PythonConfig(ModelConfig):
    """A class of your own with `predict(questions)`; see `gliobench.models.external.python_class`.

    `model`: `my_module:MyModel`, or the path of a file, `my_model.py:MyModel`. Its code runs in this process.
    """

    kind: Literal["python"]
    model: Text = Field(max_length=4096)

    @field_validator("model")
    @classmethod
    def _names_a_class(cls, model: str) -> str:
        if not model.rpartition(":")[2].isidentifier() or not model.rpartition(":")[0]:
            raise ValueError("expected my_module:MyModel, or path/to/file.py:MyModel")
        return model

    def resolved(self, folder: Path) -> Self:
        where, _, called = self.model.rpartition(":")
        if not where.endswith(".py"):
            return self
        return self.model_copy(update={"model": f"{resolved(folder, Path(where))}:{called}"})

    def oracles(self, study: "Study") -> Mapping[str, str]:
        return {}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.study.asking.region_of_interest import learners

        model = self.load()
        model.fit(*learners(context.subjects, round))
        return model

    def load(self) -> "OwnModel":
        """The class, imported and made. Raises ModelError."""
        from gliobench.models.external.python_class import load_own

        return load_own(self.name, self.model)

    def content(self, context: "Context") -> Mapping[str, str]:
        return {"held": self.load().content}

    @property
    def leaves_validation_out(self) -> bool:
        return True

    @property
    def learns(self) -> bool:
        from gliobench.models.base.errors import ModelError

        try:
            return self.load().learns
        except ModelError:  # said by `machine_faults`
            return False

    def machine_faults(self, context: "Context") -> Iterator[tuple[str, str]]:
        from gliobench.models.base.errors import ModelError

        try:
            self.load()
        except ModelError as error:
            yield "model", str(error)

    @cached_property
    def scope(self) -> Scope | None:
        from gliobench.models.base.errors import ModelError

        try:
            model = self.load()
        except ModelError:  # said by `machine_faults`
            return None
        return Scope(model.tasks, model.per_slice)

    def notes(self) -> Iterator[str]:
        yield f"{self.name}: {Path(self.model).name}, a class of the user's own."
