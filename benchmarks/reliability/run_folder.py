"""The run folder that the campaigns damage and kill: phantom patients, and every kind of model in its tiniest form."""

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

STUDY = """\
name: fire
grid: {shape: [16, 24, 24]}
split: {test_share: 0.25, folds: 4, seed: 1}
slices: {every: 6}
consistency: {repeats: 3, subjects: 1, task: grade}
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: flair-blob}
  - {kind: classical, name: radiomics, region: brain}
  - {kind: network, name: segmenter, network: mask-segmenter, regions: brats, train: {epochs: 2}}
  - {kind: encoder, name: clip-untrained, checkpoint: tiny-clip, every: 6}
  - {kind: segmenter, name: sam-untrained, checkpoint: tiny-sam, from: flair-blob}
  - {kind: vlm, name: mllama-untrained, checkpoint: tiny-mllama, tasks: [grade, box], max_new_tokens: 3, temperature: 1}
  - kind: vlm
    name: tuned-untrained
    checkpoint: tiny-mllama
    tasks: [grade]
    max_new_tokens: 3
    finetune: {rank: 4, steps: 2, batch_size: 2, accumulation: 1, evaluate_every: 1, validation_slices: 2}
  - {kind: replay, name: table, answers: ANSWERS, tasks: [grade]}
"""
TABLES = ("per_subject", "summary", "votes", "consistency", "consistency_answers")
TRACEBACK = 70  # exit status of a process that ends in one


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (`TRACEBACK` for one, None where it had no end), and what it said."""

    status: int | None
    said: str


@dataclass(frozen=True)
class Place:
    """Where a campaign works: study file, cohort, a run that nothing has happened to, and the folder where it was made,
    in which a copy of it is damaged: a run folder knows its place."""

    study: Path
    cohort: Path
    whole: Path
    live: Path

    def arguments(self, verb: str) -> list[str]:
        """The command line of a verb on the live folder."""
        return [verb, str(self.study), "--cohort", str(self.cohort), "--out", str(self.live)]

    def restore(self) -> None:
        """Make the live folder what it was; files keep their times."""
        shutil.rmtree(self.live, ignore_errors=True)
        shutil.copytree(self.whole, self.live)


def make_run(folder: Path) -> Place:
    """Phantom patients, the study, and its undamaged run; what is there already is kept."""
    from gliobench.cohort.phantom import write_phantom

    place = Place(folder / "fire.yaml", folder / "cohort", folder / "whole", folder / "live")
    if not place.cohort.exists():
        write_phantom(place.cohort, subjects=12, seed=3, spacing_mm=2)
    table = folder / "answers.csv"
    ids = sorted(path.name for path in place.cohort.rglob("Phantom_*") if path.is_dir())
    rows = [f"{id},grade,axial,{index},Choice: {index % 2}" for id in ids for index in range(16)]
    table.write_text("\n".join(["subject,task,plane,slice,answer", *rows]) + "\n")
    place.study.write_text(STUDY.replace("ANSWERS", str(table)))
    if not place.whole.exists():
        shutil.rmtree(place.live, ignore_errors=True)
        ended = command(place.arguments("run"))
        if ended.status != 0:
            raise SystemExit(f"the run to be damaged did not end well:\n{ended.said}")
        shutil.copytree(place.live, place.whole)
    return place


@dataclass(frozen=True)
class Started:
    """A command at work in a process of its own."""

    process: int
    output: Path
    since: float

    def ended(self, limit_s: float = 120.0, kill_after_s: float | None = None) -> Ended:
        """Wait for its end. `kill_after_s`: SIGKILL so long after its start."""
        status, given_up = None, False
        while status is None:
            found, code = os.waitpid(self.process, os.WNOHANG)
            elapsed = time.monotonic() - self.since
            given_up = elapsed > limit_s
            if not found and (given_up or (kill_after_s is not None and elapsed > kill_after_s)):
                os.kill(self.process, signal.SIGKILL)
                found, code = os.waitpid(self.process, 0)
            if found:
                status = os.waitstatus_to_exitcode(code)
            else:
                time.sleep(0.002)
        said = self.output.read_text(encoding="utf-8", errors="replace")
        self.output.unlink()
        return Ended(None if given_up else status, said)


def start(arguments: Sequence[str]) -> Started:
    """Begin a command of gliobench in a fork of this process, which has imported everything already."""
    handle, name = tempfile.mkstemp(prefix="gliobench-fire-", suffix=".txt")
    process = os.fork()
    if process == 0:
        _child(arguments, handle)
    os.close(handle)
    return Started(process, Path(name), time.monotonic())


def command(arguments: Sequence[str], kill_after_s: float | None = None) -> Ended:
    """A command of gliobench, from its start to its end."""
    return start(arguments).ended(kill_after_s=kill_after_s)


def _child(arguments: Sequence[str], handle: int) -> None:
    """Never returns."""
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["gliobench", *arguments]
    status = TRACEBACK
    try:
        from gliobench.cli.app import main

        main()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def different_tables(whole: Path, other: Path) -> list[str]:
    """The tables of scores that are not the same to the last bit; one that is not there is not different."""
    different = []
    for name in TABLES:
        path = other / "scores" / f"{name}.parquet"
        if not path.is_file():
            continue
        try:
            pd.testing.assert_frame_equal(
                pd.read_parquet(path), pd.read_parquet(whole / "scores" / path.name), check_exact=True
            )
        except Exception as error:  # whatever pyarrow makes of garbage: a table that nobody can read
            different.append(f"{name} ({type(error).__name__})")
    return different


def keys_in(path: Path) -> list[str]:
    """The keys of a file of answers, as they stand in it."""
    from gliobench.records.store import RecordStore

    return [record.key for record in RecordStore(path).read()] if path.exists() else []


def import_everything() -> None:
    """What the stages import, once, so that a fork has it."""
    import lightning.fabric  # noqa: F401
    import monai.networks.nets  # noqa: F401
    import peft  # noqa: F401
    import torch
    import transformers  # noqa: F401
    import trl  # noqa: F401

    import gliobench.models.language.vlm
    import gliobench.models.vision.probe
    import gliobench.models.vision.segmenter
    import gliobench.report.page
    import gliobench.scoring.score
    import gliobench.study.run
    import gliobench.training.finetune.fit
    import gliobench.training.fit  # noqa: F401

    torch.set_num_threads(1)
