"""What a cluster's site asks of every job: a small YAML file beside the study file."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from gliobench.ranges import Text, Whole
from gliobench.study.config.study import read_whole
from gliobench.study.parts.base import WholeFile


class Profile(WholeFile):
    """`options`: further ones of `sbatch`, as they are. `modules`: to be loaded. `command`: what starts gliobench on a
    node, such as `apptainer exec --nv /images/gliobench.sif gliobench`; None: the Python that runs here. `gpus`: of a
    job that uses one."""

    partition: Text | None = None
    time: Text | None = None
    account: Text | None = None
    constraint: Text | None = None
    memory: Text | None = None
    gpus: Annotated[Whole, Field(ge=0, le=1024)] = 1
    options: tuple[Text, ...] = ()
    modules: tuple[Text, ...] = ()
    command: Text | None = None


def read_profile(path: Path | None, partition: str | None, time: str | None) -> Profile:
    """A site's profile, with what the command line says otherwise. Raises StudyError."""
    found = Profile() if path is None else read_whole(path, Profile)
    given = {"partition": partition, "time": time}
    return found.model_copy(update={key: value for key, value in given.items() if value is not None})
