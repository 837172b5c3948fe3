"""What a control is: a change to a patient's image that a model which looks at the image has to notice."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject


class Control(ABC):
    """One change to the image of a patient.

    `summary`: what it does, in a line. `words`: what a model is asked about, after "asked about". `unmoved`: what its
    answers do not depend on where they stay as they were, with `{target}` for what the problem's target is called.
    `lacking`: why it cannot be made of some patients. `version`: raise it where the changed image becomes another.
    `oracle`: whether it is made with the truth. `mirrors`: whether image and truth are mirrored, so that places move
    to the other side and classes stay.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    words: ClassVar[str]
    unmoved: ClassVar[str]
    lacking: ClassVar[str] = ""
    version: ClassVar[int] = 1
    oracle: ClassVar[bool] = False
    mirrors: ClassVar[bool] = False

    @abstractmethod
    def alter(self, subject: PreparedSubject, others: Sequence[PreparedSubject]) -> PreparedSubject | None:
        """The patient with the changed image and a content of its own; None where it cannot be made.

        `others`: scans that are tested in the same round, the preferred first.
        """

    def index(self, plane: Plane, index: int, size: int) -> int:
        """The slice of the changed image that shows what slice `index`, of `size` in this plane, shows of the own
        image, and the other way round."""
        return index

    def with_image(self, subject: PreparedSubject, image: NDArray[np.uint8], of: str = "") -> PreparedSubject:
        """The patient with another `image` (C, D, H, W). `of`: the content of what else it is made of."""
        recipe = f"{subject.content} control {self.name} {self.version} {of}"
        return replace(subject, image=image, content=hashlib.sha256(recipe.encode()).hexdigest())
