"""Trainings within a cluster's job: what its launcher says of other tasks stops none, and nobody asks for `srun`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gliobench.training.launched import on_this_machine

NETWORK = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.training.test_fit import TRAIN, VALIDATION
from gliobench.training.fit import fit_network
from gliobench.training.settings import recipe

settings = replace(recipe("mask-segmenter"), epochs=1, device="cpu")
fit_network("mask-segmenter", TRAIN, VALIDATION, Path(sys.argv[1]), settings)
"""
FINETUNING = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.training.finetune.conftest import SMALL
from tests.training.finetune.made import TASKS, patient
from tests.training.finetune.test_fit import SETTINGS, fit
from gliobench.models.tiny import write_tiny_idefics3
from gliobench.training.finetune.examples import slice_examples

base = write_tiny_idefics3(Path(sys.argv[1]) / "base", size=SMALL)
examples = slice_examples([patient(number) for number in range(6)], TASKS, ("axial",))
fit(base, Path(sys.argv[1]) / "out", examples, replace(SETTINGS, steps=2))
"""
SLURM = {
    "SLURM_JOB_ID": "1",
    "SLURM_JOB_NAME": "study",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "node7",
}
MPI = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_RANK": "0", "PMI_SIZE": "2"}
TORCHRUN = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29599"}


@pytest.mark.parametrize("script", [NETWORK, FINETUNING], ids=["network", "fine-tuning"])
def test_a_training_in_a_clusters_job_runs_alone(script: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    root = Path(__file__).parents[2]
    environment = os.environ | SLURM | MPI | TORCHRUN | {"PATH": f"{srun.parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = f"{root / 'src'}:{root}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "srun" not in done.stderr + done.stdout


def test_the_environment_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SLURM | MPI).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with on_this_machine():
        assert not {name for name in os.environ if name.startswith(("SLURM_", "OMPI_", "PMI_"))}
        os.environ["WORLD_SIZE"] = "2"
    assert dict(os.environ) == before
