"""The graph of a study for a person, as a table, and for a machine, as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.box import SIMPLE
from rich.table import Table

from gliobench.study.jobs.graph import Job
from gliobench.study.plan.printing import figure, time_words


def jobs_json(jobs: Sequence[Job], cpus: int) -> str:
    """All jobs in an order in which they can be done."""
    return json.dumps([_plain(job, cpus) for job in jobs], indent=1)


def _plain(job: Job, cpus: int) -> dict[str, object]:
    stage = job.stage
    return {
        "id": job.id,
        "verb": stage.verb,
        "model": stage.model,
        "fold": stage.fold,
        "shard": str(stage.shard) if stage.shard else None,
        "needs": [str(one) for one in job.needs],
        "cpus": cpus,
        "gpus": job.gpus,
        "gpu_memory_gib": job.gpu_memory_gib and asdict(job.gpu_memory_gib),
        "hours": job.hours and asdict(job.hours),
        "done": job.done,
    }


def jobs_table(jobs: Sequence[Job], cpus: int) -> Table:
    """One line per job."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for head in ("job", "needs"):
        table.add_column(head, overflow="fold")
    for head in ("CPUs", "GPUs", "GPU GiB", "time", "done"):
        table.add_column(head, justify="right", no_wrap=True)
    for job in jobs:
        cells = (str(cpus), str(job.gpus or ""), figure(job.gpu_memory_gib), time_words(job.hours))
        table.add_row(job.id, ", ".join(map(str, job.needs)), *cells, "done" if job.done else "")
    return table
