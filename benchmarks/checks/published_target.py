"""A finished run's answers about places against the whole tumour and against label 1, the reference study's target.

    gliobench run studies/replication-on-scans.yaml --replication FOLDER --cohort FOLDER --out RUN
    python benchmarks/checks/published_target.py studies/replication-on-scans.yaml --cohort FOLDER --out RUN

The variable GLIOBENCH_REPLICATION has to name the folder of the raw answers here. Prints Markdown: means over patients.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gliobench.grid.prepared import PreparedSubject
from gliobench.replay.placed import TARGET
from gliobench.study.config.study import read_study
from gliobench.study.stages.score import score_against
from gliobench.study.state.context import Context, make_context

FIGURES = {"centre": ("in_box", "distance_to_centre_mm"), "box": ("dice",), "polygon": ("dice",), "mask": ("dice",)}
ROW = ["task", "metric", "model", "source", "n_asked"]


def core_alone(subject: PreparedSubject) -> PreparedSubject:
    """The patient with label 1 for a tumour."""
    assert subject.labels is not None
    return replace(subject, labels=(np.asarray(subject.labels) == TARGET).astype(np.uint8))


def table(context: Context) -> Iterator[str]:
    """The report, line by line."""
    sides = {"published": score_against(context, core_alone).summary, "asked": score_against(context).summary}
    both = pd.concat(
        [found.set_index(ROW)["value"].rename(name) for name, found in sides.items()], axis=1
    ).reset_index()
    yield "| task | figure | model | from | questions | published target (label 1) | asked target (whole tumour) |"
    yield "|---|---|---|---|---|---|---|"
    for task, names in FIGURES.items():
        for metric in names:
            rows = both[(both["task"] == task) & (both["metric"] == metric)]
            for row in rows.to_dict("records"):
                cells = [task, metric, row["model"], row["source"], str(row["n_asked"])]
                yield f"| {' | '.join(cells)} | {row['published']:.3f} | {row['asked']:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for line in table(make_context(read_study(options.study), cohort=options.cohort, out=options.out)):
        print(line)


if __name__ == "__main__":
    main()
