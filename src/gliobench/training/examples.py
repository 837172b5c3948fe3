"""The batches of an epoch: the order of the patients and their augmentation, determined by the seed alone."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.networks.input import as_input
from gliobench.training.augment import augmented, cut_patch
from gliobench.training.balance import balanced_order
from gliobench.training.job import Job
from gliobench.training.settings import draws


def batches(job: Job, epoch: int, rank: int = 0, processes: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
    """The training patients in this epoch's order: (N, 4, D, H, W) and targets.

    Several processes share each batch, `batch_size` patients each; where there are not enough for all, some are
    repeated.
    """
    settings = job.settings
    random = np.random.default_rng([settings.seed, epoch])
    by_id = {subject.id: subject for subject in job.train}
    ids = list(by_id)
    if settings.balance_grades:
        grades = {id: subject.grade for id, subject in by_id.items()}
        ids = balanced_order(ids, grades, random, draws_an_epoch(job))
    else:
        ids = [ids[place] for place in random.permutation(len(ids))]
    size = settings.batch_size * processes
    for first in range(0, len(ids), size):
        chosen = [(id, int(random.integers(2**31))) for id in ids[first : first + size]]
        chosen += chosen[: -len(chosen) % processes]
        pairs = [_example(job, by_id[id], seed) for id, seed in chosen[rank::processes]]
        images, targets = (torch.stack(part) for part in zip(*pairs, strict=True))
        yield images.contiguous(memory_format=torch.channels_last_3d), targets


def steps_an_epoch(job: Job, processes: int) -> int:
    """How many batches `batches` gives."""
    return -(-draws_an_epoch(job) // (job.settings.batch_size * processes))


def draws_an_epoch(job: Job) -> int:
    """The number of draws, repeated patients counted each time."""
    return draws([subject.grade for subject in job.train], job.settings)


def _example(job: Job, subject: PreparedSubject, seed: int) -> tuple[Tensor, Tensor]:
    """A patient in one step, determined by `seed`: augmented, mirrored or unchanged, and cropped to the patch."""
    image, target = as_input(subject.image, job.settings.intensities), job.objective.target(subject)
    mask = target if target.ndim > 1 else None
    if job.settings.augment:
        image, mask = augmented(image, mask, seed)
    elif job.settings.mirror and seed % 2:
        image, mask = image.flip(-1), None if mask is None else mask.flip(-1)
    if job.settings.patch and mask is not None:
        image, mask = cut_patch(image, mask, job.settings.patch, seed)
    return image, target if mask is None else mask
