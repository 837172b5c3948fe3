"""The command of a job: the same that a person would type for its stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context


@dataclass(frozen=True)
class Commands:
    """What every job of a run is given. `fold`: as `--fold` was given for the whole run; `workers`: how many pieces of
    work a stage may do side by side that is no model's."""

    study: Path
    context: Context
    fold: str | None = None
    workers: int = 1

    def of(self, stage: Stage) -> list[str]:
        """The arguments of `gliobench`, in this folder: fingerprints know the paths as they were given."""
        return [stage.verb, str(self.study), *self._options(stage)]

    def _options(self, stage: Stage) -> Iterator[str]:
        context = self.context
        yield from ("--cohort", str(context.cohort), "--out", str(context.folder.root), "--store", str(context.store))
        if stage.model is not None:
            yield from ("--model", stage.model)
        if stage.shard is not None:
            yield from ("--shard", f"{stage.shard.number}/{stage.shard.of}")
        if stage.verb == "prepare":
            yield from ["--skip-bad"] if context.skip_bad else []
        if stage.verb in ("prepare", "curve", "seeds", "sensitivity"):
            yield from ("--workers", str(self.workers))
        fold = self.fold if stage.fold is None else str(stage.fold)
        if fold is not None and stage.verb not in ("prepare", "split"):
            yield from ("--fold", fold)


def log_of(context: Context, stage: Stage) -> Path:
    """What a job says, from its first attempt on."""
    return context.folder.root / "jobs" / f"{stage}.log"


def last_line(log: Path) -> str:
    """What a job said last."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
