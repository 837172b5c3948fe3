"""nnU-Net v2 (Isensee 2021) as a model: our patients in its layout, its masks back as ours.

It runs in a process of its own (`worker.py`), whose interpreter may differ from ours: it depends on torchvision, which
fails to import with a torch without CUDA, and then transformers fails too.

    <folder>/nnunet.json      the training patients, and the digest of the checkpoint
    <folder>/nnunet.log       whatever nnU-Net printed
    <folder>/raw/…, preprocessed/…, results/…   nnU-Net's own

Patients are written from the common grid: it sees the same voxels as every other model, and its masks are scored
without resampling. nnU-Net unpickles checkpoints and plans, so it is only given those that it has made here.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import DamagedError, file_digest, read_json
from gliobench.models.base.errors import ModelError
from gliobench.models.base.leakage import refuse_training_patients
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.nnunet import worker as nnunet_worker
from gliobench.models.nnunet.worker import FINAL, FOLD
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK

DESCRIPTION, LOG, ENDING = "nnunet.json", "nnunet.log", ".nii.gz"
LAST_LINES = 15


@dataclass(frozen=True)
class Installation:
    """Where nnU-Net runs: an interpreter that has it (None: ours), and how many extra processes it may use."""

    python: Path | None = None
    workers: int = 2


@dataclass(frozen=True, eq=False)
class NnUNet:
    """An ensemble of trained nnU-Nets, one per folder: a voxel is in a region where their mean probability is above one
    half, which for a single one is nnU-Net's own mask."""

    name: str
    folders: Sequence[Path]
    trained_on: frozenset[str]
    settings: Settings
    installation: Installation
    tasks = frozenset({MASK.name})
    per_slice = False

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked, once nnU-Net has segmented all of them.

        Raises ModelError for a patient it was trained on, and where nnU-Net stops.
        """
        refuse_training_patients(self.name, self.trained_on, questions)
        if not questions:
            return
        subjects = [question.subject for question in questions]
        with tempfile.TemporaryDirectory(dir=self.folders[0], prefix="asked-") as asked:
            images = Path(asked) / "images"
            for subject in subjects:
                write_image(subject, images)
            answers = [self._ask(folder, images, Path(asked) / str(n)) for n, folder in enumerate(self.folders)]
            for question in questions:
                given = [read_probabilities(folder, question.subject) for folder in answers]
                yield Prediction(question, Answered(VolumeMask(*as_nnunet_decides(np.mean(given, axis=0)))))

    def _ask(self, folder: Path, images: Path, out: Path) -> Path:
        model = read_description(folder)["model"]
        job = {"do": "predict", "root": str(folder), "model": model, "images": str(images), "out": str(out)}
        for _ in run_worker(self.installation, job, folder / LOG):
            pass
        return out


def load_nnunet(folders: Sequence[Path], name: str, installation: Installation) -> NnUNet:
    """The nnU-Nets that `gliobench.training.nnunet` left in `folders`, as an ensemble called `name`.

    Raises ModelError where a folder holds none, or another checkpoint than was trained there: nnU-Net would unpickle
    it.
    """
    descriptions = [read_description(folder) for folder in folders]
    settings: dict[str, str | int | float | bool | None] = {"network": "nnU-Net"}
    for place, (folder, found) in enumerate(zip(folders, descriptions, strict=True)):
        path = folder / found["model"] / f"fold_{FOLD}" / FINAL
        if not path.exists() or file_digest(path) != found["checkpoint"]:
            raise ModelError(f"{path} is not the checkpoint that was trained there: train {name} again")
        settings |= {f"weights {place}": found["checkpoint"], f"nnunetv2 {place}": found["nnunetv2"]}
    patients = frozenset(id for found in descriptions for id in found["trained_on"])
    return NnUNet(name, folders, patients, settings, installation)


def read_description(folder: Path) -> dict[str, Any]:
    """The description that was written when the training of an nnU-Net ended."""
    try:
        return read_json(folder / DESCRIPTION, "model", "checkpoint", "nnunetv2", "trained_on")
    except FileNotFoundError as error:
        raise ModelError(f"{folder} holds no trained nnU-Net ({DESCRIPTION} is missing): train it first") from error
    except DamagedError as error:
        raise ModelError(f"{error}: restore it from a copy, or train the nnU-Net again") from error


def write_image(subject: PreparedSubject, folder: Path) -> None:
    """Write a patient's modalities, one file per channel, indices (d, h, w) with the grid's affine."""
    folder.mkdir(parents=True, exist_ok=True)
    for channel, voxels in enumerate(subject.image):
        write_volume(np.asarray(voxels), subject, folder / f"{subject.id}_{channel:04d}{ENDING}")


def write_volume(voxels: NDArray[np.uint8], subject: PreparedSubject, path: Path) -> None:
    """Write voxels of the grid (D, H, W) as NIfTI with the grid's affine."""
    image = nib.Nifti1Image(voxels, subject.affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def read_probabilities(folder: Path, subject: PreparedSubject) -> NDArray[np.float32]:
    """nnU-Net's probabilities of each region, (R, D, H, W) float32.

    For the whole tumour alone it has two classes, the second is the tumour. Raises ModelError where nnU-Net's mask does
    not lie on the patient's grid.
    """
    affine = nib.load(folder / f"{subject.id}{ENDING}").affine
    with np.load(folder / f"{subject.id}.npz", allow_pickle=False) as file:
        probabilities = file["probabilities"].astype(np.float32).transpose(0, 3, 2, 1)  # nnU-Net's axes run backward
    if probabilities.shape[1:] != subject.shape or not np.allclose(affine, subject.affine, atol=1e-3):
        raise ModelError(
            f"{subject.id}: nnU-Net's answer has shape {probabilities.shape[1:]} and affine {affine.tolist()}, "
            f"the grid {subject.shape} and {subject.affine.tolist()}"
        )
    regions: NDArray[np.float32] = probabilities[1:] if len(probabilities) == 2 else probabilities
    return regions


def as_nnunet_decides(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Regions, from the outermost to the innermost, from their probabilities: (R, D, H, W) bool.

    nnU-Net paints them in this order, so a voxel of an inner region is in the outer ones too, whatever their
    probability.
    """
    found: NDArray[np.bool_] = np.logical_or.accumulate(probabilities[::-1] > 0.5)[::-1]
    return found


def run_worker(installation: Installation, job: dict[str, Any], log: Path) -> Iterator[dict[str, Any]]:
    """Start the worker on a job and yield its events; what nnU-Net prints is appended to `log`.

    Raises ModelError, with the log's last lines, where the worker fails. Closing the iterator ends the worker.
    """
    python = str(installation.python or sys.executable)
    command = [python, "-I", nnunet_worker.__file__, json.dumps({**job, "workers": installation.workers})]
    try:
        with (
            log.open("ab") as output,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends, and then the worker ends
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)
            code = process.wait()
    except OSError as error:
        raise ModelError(f"python {python} cannot be started ({error.strerror}): see docs/nnunet.md") from error
    if code:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
        raise ModelError(f"nnU-Net, run by {python}, stopped with code {code} (docs/nnunet.md); {log} ends:\n{last}")


def examine_installation(python: Path | None) -> str:
    """The nnU-Net version of an interpreter and its device, or why it cannot be used."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            (found,) = run_worker(Installation(python), {"do": "check", "root": folder}, Path(folder) / LOG)
        except ModelError as error:
            return f"not usable: {error}"
    return f"nnunetv2 {found['nnunetv2']} with torch {found['torch']}, on {found['device']}"


def installation_fault(python: Path | None) -> str | None:
    """Why nnU-Net cannot run with an interpreter, as far as shows without importing it; None otherwise."""
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('nnunetv2') is None)"
    command = [str(python or sys.executable), "-I", "-c", look]
    try:
        found = subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"python {command[0]} cannot be started ({error}): see docs/nnunet.md"
    return None if found else f"nnunetv2 is not installed for {command[0]}: see docs/nnunet.md"
