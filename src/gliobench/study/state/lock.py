"""One process per stage at a time: a lock that ends with its process, however that ends."""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gliobench.errors import GliobenchError
from gliobench.integrity import set_aside


class LockedError(GliobenchError):
    """Another process is at work on the same; the message says which, and on which machine."""


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` while `what` is done. Raises LockedError where another process holds it.

    `flock` reaches over NFS where that has a lock service; on a file system without locks nothing is held.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        set_aside(path)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise LockedError(
                f"{what} is in progress: {holder} in {path.parent.parent}: wait until it has ended, or stop it. "
                "Other stages, models and folds can run at the same time"
            ) from error
        except OSError:  # no locks here, such as on NFS without its lock service
            yield
            return
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield
        file.truncate(0)
