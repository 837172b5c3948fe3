"""What every part of a study file is made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TaskName = Literal["grade", "centre", "box", "polygon", "mask"]
ModalityName = Literal["flair", "t1", "t1ce", "t2"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Part(BaseModel):
    """A part of a study file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
