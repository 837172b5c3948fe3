"""Hide a cluster launcher's environment variables from libraries that infer the number of training processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

PREFIXES = ("SLURM_", "OMPI_COMM_WORLD_", "PMI_", "PMIX_", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_")
NAMES = frozenset(
    {"RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
)


@contextmanager
def on_this_machine() -> Iterator[None]:
    """Hide them while the context is open: a training starts its own processes, on this machine.

    Under `sbatch -n2` Lightning refuses to start, under `mpirun` or `torchrun` accelerate waits for other ranks.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name in NAMES or name.startswith(PREFIXES)}
    try:
        yield
    finally:
        for name in NAMES & os.environ.keys():  # those that the libraries have set
            del os.environ[name]
        os.environ.update(hidden)
