"""Prepared patients a second into training, against the network's own step and against MONAI's chain from the files.

    python benchmarks/loading.py ../shared/cohort_2mm --network dynunet --rounds 3

Loading is what `fit_network` does between two steps: the memory-mapped patient to standardised floats, its target, and
the recipe's augmentation. MONAI's side reads the files with `LoadImaged`, resizes, and augments with the same
transforms. One thread; processor seconds, so that other work on the machine does not count; the sides in turn, medians.
Ends in one line of JSON.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

import torch
from rich.console import Console
from rich.table import Table

from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import Cohort, Subject
from gliobench.grid.recipe import Recipe
from gliobench.grid.store import prepare_cohort
from gliobench.models.checkpoints.memory import keep_memory
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.input import as_input
from gliobench.training.augment import augmented
from gliobench.training.examples import batches
from gliobench.training.job import Job
from gliobench.training.objectives import make_objective
from gliobench.training.settings import recipe
from prepare import monai_chain, paths


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    keep_memory()
    found = find_cohort(options.cohort)
    cohort = Cohort(found.name, found.root, found.layout, found.labels, found.subjects[: options.patients])
    grid = Recipe("brain", tuple(options.shape))
    with tempfile.TemporaryDirectory() as store:
        job = make_job(options.network, cohort, grid, Path(store))
        seconds = measure(options.rounds, job, cohort.subjects, grid)
    report(options, len(cohort.subjects), {name: statistics.median(took) for name, took in seconds.items()})


def make_job(network: str, cohort: Cohort, grid: Recipe, store: Path) -> Job:
    """A training on all patients, by the network's own recipe, one patient a batch."""
    prepared, _ = prepare_cohort(cohort, grid, store)
    objective = make_objective(NETWORKS[network].task, ("whole",), recipe(network))
    return Job(network, "whole", prepared, (), store, recipe(network), objective, None)


def measure(rounds: int, job: Job, subjects: tuple[Subject, ...], grid: Recipe) -> dict[str, list[float]]:
    """Processor seconds a patient, one figure a round."""
    step, chain = make_step(job), monai_chain(grid)
    example = next(batches(job, 0))
    loaded = len(example[0])
    seconds: dict[str, list[float]] = {"loading": [], "network": [], "MONAI": []}
    step(*example)
    load_with_monai(chain, subjects[0], job)  # the first call pays for imports
    for epoch in range(1, rounds + 1):
        seconds["loading"].append(timed(lambda epoch=epoch: sum(1 for _ in batches(job, epoch))) / len(job.train))
        seconds["network"].append(timed(lambda: step(*example)) / loaded)
        subject = subjects[epoch % len(subjects)]
        seconds["MONAI"].append(timed(lambda subject=subject: load_with_monai(chain, subject, job)))
    return seconds


def make_step(job: Job) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """One training step as `fit_network` does it, in float32."""
    torch.manual_seed(0)
    network = NETWORKS[job.network].build(job.train[0].shape, 4, 1).to(memory_format=torch.channels_last_3d)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def step(images: torch.Tensor, targets: torch.Tensor) -> None:
        loss = job.objective.loss(network(images), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()

    return step


def load_with_monai(chain: Callable[[dict[str, str]], dict[str, torch.Tensor]], subject: Subject, job: Job) -> None:
    """The files of a patient to what a step takes."""
    read = chain(paths(subject))
    image = as_input(torch.cat([read[name] for name in GLIOMA.names]).clamp(0, 255).byte().numpy())
    mask = (read["mask"] > 0).float() if NETWORKS[job.network].task == "mask" else None
    if job.settings.augment:
        augmented(image, mask, 0)


def timed(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def report(options: argparse.Namespace, patients: int, median: dict[str, float]) -> None:
    table = Table("side", "patients a second", title=f"{options.network} at {tuple(options.shape)}, one thread")
    for name, value in median.items():
        table.add_row(name, f"{1 / value:.2f}")
    Console().print(table)
    result = {
        "benchmark": "loading",
        "cohort": options.cohort.name,
        "network": options.network,
        "shape": options.shape,
        "patients": patients,
        "rounds": options.rounds,
        "clock": "processor seconds, one thread",
        **{f"{name.lower()}_patients_per_second": round(1 / value, 3) for name, value in median.items()},
        "loading_over_network": round(median["network"] / median["loading"], 2),
        "loading_over_monai": round(median["MONAI"] / median["loading"], 2),
    }
    print(json.dumps(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cohort", type=Path, help="a folder or table that gliobench reads, with masks and grades")
    parser.add_argument("--network", choices=list(NETWORKS), default="dynunet")
    parser.add_argument("--shape", type=int, nargs=3, default=(72, 88, 72))
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
