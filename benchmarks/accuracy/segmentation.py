"""Masks by 3D networks on real patients: out of fold on one cohort, then transferred to another that none has seen.

    nohup python benchmarks/accuracy/segmentation.py --lanes 2 > runs/segmentation.log &

Runs `studies/pretrain.yaml`, `studies/segmentation.yaml` and `studies/transfer.yaml`; some two hours on two cores.
Folds are trained side by side, one lane and one thread each: two lanes of one thread do more than one of two. Killed,
it goes on where it was. Prints Dice and HD95 and ends in one line of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from gliobench.study.config.study import read_study
from gliobench.study.kinds.network import NetworkConfig

STUDIES = Path(__file__).resolve().parents[2] / "studies"
RUNS = Path("runs")
METRICS = ("dice", "hd95_mm")
COMMAND = "from gliobench.cli.app import main; main()"


def gliobench(*words: str, threads: int) -> None:
    """One call of the command line, on `threads` processors."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
    subprocess.run([sys.executable, "-c", COMMAND, *words], env=environment, check=True)


def train_folds(study: Path, out: Path, lanes: int) -> None:
    """Every network on every fold, `lanes` at a time."""
    content = read_study(study)
    networks = [part.name for part in content.models if isinstance(part, NetworkConfig)]
    jobs = [(name, str(fold)) for name in networks for fold in range(content.split.folds)]
    for stage in ("prepare", "split"):
        gliobench(stage, str(study), "--out", str(out), threads=lanes)
    with ThreadPoolExecutor(lanes) as pool:
        done = [
            pool.submit(gliobench, "train", str(study), "--out", str(out), "--model", name, "--fold", fold, threads=1)
            for name, fold in jobs
        ]
        for job in done:
            job.result()


def figures(run: Path) -> list[dict[str, Any]]:
    """Mean and median over patients of each model's masks, with the mean's 95 % interval."""
    summary, patients = (
        _masks(pd.read_parquet(run / "scores" / f"{name}.parquet")) for name in ("summary", "per_subject")
    )
    rows = []
    for row in summary.itertuples():
        values = patients[(patients["model"] == row.model) & (patients["metric"] == row.metric)]["value"]
        rows.append(
            {"run": run.name, "model": row.model, "metric": row.metric, "n": int(row.n_subjects)}
            | {"mean": float(row.value), "low": float(row.low), "high": float(row.high)}
            | {"median": float(values.median()), "least": float(values.min()), "most": float(values.max())}
        )
    return rows


def _masks(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["task"] == "mask") & (table["plane"] == "volume") & table["metric"].isin(METRICS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 1, help="trainings side by side")
    lanes = parser.parse_args().lanes
    gliobench("run", str(STUDIES / "pretrain.yaml"), "--out", str(RUNS / "pretrain"), threads=lanes)
    train_folds(STUDIES / "segmentation.yaml", RUNS / "segmentation", lanes)
    rows = []
    for name in ("segmentation", "transfer"):
        gliobench("run", str(STUDIES / f"{name}.yaml"), "--out", str(RUNS / name), threads=lanes)
        rows += figures(RUNS / name)
    table = Table("run", "model", "metric", "n", "mean (95 %)", "median", "least", "most")
    for row in rows:
        mean = f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        ends = [f"{row[key]:.3f}" for key in ("median", "least", "most")]
        table.add_row(row["run"], row["model"], row["metric"], str(row["n"]), mean, *ends)
    Console(width=160).print(table)
    print(json.dumps({"benchmark": "segmentation", "lanes": lanes, "figures": rows}))


if __name__ == "__main__":
    main()
