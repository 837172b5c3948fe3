"""What entries for models that see and do not speak share."""

from abc import abstractmethod
from typing import ClassVar, Self

from pydantic import model_validator

from gliobench.models.checkpoints.files import Use
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.base import Revision, Source
from gliobench.study.parts.seen import Seen

TRUTH = "truth"


UNTRAINED_VISION = ("tiny-sam", "tiny-clip")  # random weights, made on the spot


class VisionModelConfig(ModelConfig):
    """A checkpoint: a folder, a hub id, or one of `UNTRAINED_VISION`. `seen`: the patients in its pretraining, by id,
    where they are known; else `unknown`, or `none`."""

    LATER: ClassVar = frozenset({"seen"})
    OPERATION: ClassVar = frozenset({"batch_size"})

    checkpoint: Source
    revision: Revision | None = None
    seen: Seen = "unknown"

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint in UNTRAINED_VISION and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self

    @property
    def prompts_segmenters(self) -> bool:
        return False

    @property
    def declared(self) -> tuple[str, Seen] | None:
        return None if self.checkpoint in UNTRAINED_VISION else (self.checkpoint, self.seen)

    @property
    @abstractmethod
    def checkpoint_use(self) -> Use:
        """What its checkpoint has to do."""

    @property
    def checkpoint_source(self) -> tuple[str, str | None]:
        return self.checkpoint, self.revision
