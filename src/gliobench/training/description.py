"""The output of a training besides its weights: a description and curves."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gliobench.cohort.patients import names_of
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.integrity import DamagedError, file_digest, read_json, write_json, write_whole
from gliobench.models.base.operating_point import OperatingPoint
from gliobench.models.networks.description import DESCRIPTION, DIGEST, WEIGHTS, read_description
from gliobench.training.checkpoint import Progress
from gliobench.training.job import Job


def describe(job: Job, state: Progress, decisions: Sequence[OperatingPoint], not_calibrated: str) -> None:
    """Write what `gliobench.models.networks.trained.load_network` needs, atomically. `not_calibrated`: why a grade's
    probabilities are as the network gives them; empty where they are calibrated."""
    description = {
        DIGEST: file_digest(job.out / WEIGHTS),
        "inputs": state.inputs,
        "network": job.network,
        "regions": job.regions,
        "asked_about": job.train[0].region.key,
        "shape": job.train[0].shape,
        "mirror": job.settings.augment,
        "intensities": job.settings.intensities,
        "window": job.window,
        "decisions": [asdict(decision) for decision in decisions],
        "not_calibrated": not_calibrated,
        "best_epoch": state.best_epoch,
        "validation_metric": state.best_metric,
        "epochs_trained": len(state.history),
        "seconds": sum(report.seconds for report in state.history),
        "settings": asdict(job.settings),
        "start": None if job.start is None else str(job.start),
        "trained_on": sorted(names_of((*job.train, *job.validation)) | _trained_on_before(job)),
        **_of_problem(job.train[0].problem),
    }
    write_json(job.out / DESCRIPTION, description)


def _of_problem(problem: Problem) -> dict[str, str | Sequence[str]]:
    """Its images and classes; none for gliomas, as earlier versions had no others."""
    own, known = ((one.names, one.classes, one.positive_class) for one in (problem, GLIOMA))
    if own == known:
        return {}
    positive = {"positive": problem.classes[problem.positive_class]} if problem.classes else {}
    return {"images": problem.names, "classes": problem.classes, **positive}


def is_described(out: Path, inputs: str) -> bool:
    """Whether the training with these inputs has finished in this folder, and its weights are intact."""
    try:
        found = read_json(out / DESCRIPTION)
        digest = file_digest(out / WEIGHTS)
        return found.get("inputs") == inputs and digest == found.get(DIGEST, digest)
    except (FileNotFoundError, IsADirectoryError, DamagedError):
        return False


def _trained_on_before(job: Job) -> set[str]:
    return set() if job.start is None else set(read_description(job.start)["trained_on"])


def write_curves(path: Path, state: Progress, score_name: str) -> None:
    """One line per epoch as CSV, atomically; `score_name` is the objective's."""
    scores = f"train_{score_name},validation_{score_name}"
    lines = [f"epoch,train_loss,validation_loss,validation_metric,learning_rate,{scores}"]
    lines += [
        f"{r.epoch},{r.train_loss!r},{r.validation_loss!r},{r.validation_metric!r},{r.learning_rate!r},"
        f"{r.train_score!r},{r.validation_score!r}"
        for r in state.history
    ]
    write_whole(path, ("\n".join(lines) + "\n").encode())
