"""A study as a graph: one job per stage, model, fold and shard, with what it needs and what it takes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gliobench.cohort.read import find_cohort
from gliobench.errors import GliobenchError
from gliobench.integrity import read_stamp
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Shard, Stage
from gliobench.study.plan.counts import count
from gliobench.study.plan.estimates import Estimate, Step
from gliobench.study.plan.make import make_plan
from gliobench.study.showing.report import report_inputs
from gliobench.study.stages.curve import curve_inputs
from gliobench.study.stages.predict import asking_inputs
from gliobench.study.stages.prepare import prepare_inputs
from gliobench.study.stages.score import scores_inputs
from gliobench.study.stages.seeds import seeds_inputs
from gliobench.study.stages.sensitivity import sensitivity_inputs
from gliobench.study.stages.split import split_inputs
from gliobench.study.state.context import Context, Round

PREPARE, SPLIT, SCORE, CURVE, SEEDS, SENSITIVITY, REPORT = (
    Stage("prepare"),
    Stage("split"),
    Stage("score"),
    Stage("curve"),
    Stage("seeds"),
    Stage("sensitivity"),
    Stage("report"),
)


@dataclass(frozen=True)
class Job:
    """A stage to be done once all that it `needs` is done; its id is the stage's name.

    `gpus`: 1 where it uses one if there is one; `gpu_memory_gib`: of it, None where nobody knows. `hours`: on this
    machine. `done`: for its inputs as they are now.
    """

    stage: Stage
    needs: tuple[Stage, ...]
    gpus: int = 0
    gpu_memory_gib: Estimate | None = None
    hours: Estimate | None = None
    done: bool = False

    @property
    def id(self) -> str:
        return str(self.stage)


def make_graph(context: Context, shards: int = 1) -> list[Job]:
    """All jobs of a study, each behind those that it needs. `shards`: into how many jobs a model's questions about
    slices are shared. Starts no work and writes nothing. Raises StudyError as `make_plan` does."""
    steps = {(step.stage, step.model): step for step in make_plan(context).steps}
    wanted = [*_graph(context.study, count(context, None).rounds, shards)]
    loading = {config.name for config in context.study.models if config.checkpoint_source}
    return _with_done(context, [_estimated(job, wanted, steps, loading) for job in wanted])


def _graph(study: Study, rounds: Sequence[Round], shards: int) -> Iterator[Job]:
    yield Job(PREPARE, ())
    yield Job(SPLIT, (PREPARE,))
    asking = {config.name: _asking(study, config, rounds, shards) for config in study.models}
    left = [job for config in study.models for job in (*_learning(config, rounds), *asking[config.name])]
    known = {PREPARE, SPLIT}
    while left:
        ready = [job for job in left if known.issuperset(job.needs)]
        assert ready, "models of a study never wait for one another in a ring"
        yield from ready
        known.update(job.stage for job in ready)
        left = [job for job in left if job.stage not in known]
    yield Job(SCORE, tuple(Stage("predict", config.name) for config in study.models))
    further = ((CURVE, study.learning_curve), (SEEDS, study.seeds), (SENSITIVITY, study.sensitivity))
    after = [stage for stage, wanted in further if wanted]
    yield from (Job(stage, (SCORE,)) for stage in after)
    yield Job(REPORT, (*after,) or (SCORE,))


def _learning(config: ModelConfig, rounds: Sequence[Round]) -> list[Job]:
    """What a model learns: on every fold, or, where adapters cannot be ensembled, on the first of each round."""
    if config.verb is None:
        return []
    folds = [list(round.folds) if config.trains else [next(iter(round.folds))] for round in rounds]
    before = (SPLIT, *([Stage("predict", config.masks_by)] if config.masks_by else []))
    return [Job(Stage(config.verb, config.name, number), before) for numbers in folds for number in numbers]


def _asking(study: Study, config: ModelConfig, rounds: Sequence[Round], shards: int) -> list[Job]:
    whole = (config, *config.members(study))
    known = {one.name for one in study.models}
    named = [name for one in whole for name in one.needs]
    waits = dict.fromkeys(name for name in (*named, study.slices.by) if name in known and name != config.name)
    training = [job.stage for one in whole for job in _learning(one, rounds)]
    needs = (SPLIT, *training, *(Stage("predict", name) for name in waits if name))
    if shards == 1 or not config.asked_by_slice:
        return [Job(Stage("predict", config.name), needs)]
    parts = [Job(Stage("predict", config.name, shard=Shard(number, shards)), needs) for number in range(1, shards + 1)]
    return [*parts, Job(Stage("predict", config.name), (*needs, *(part.stage for part in parts)))]


def _estimated(job: Job, jobs: Sequence[Job], steps: Mapping[tuple[str, str], Step], loading: Collection[str]) -> Job:
    """The job with its part of what the plan says that stage and model take together. `loading`: the models that load
    a checkpoint, be its size known or not."""
    stage = job.stage
    if (step := steps.get((stage.verb, stage.model or ""))) is None:
        return job
    gpus = int(step.gpu_memory_gib is not None or stage.model in loading)
    alike = [one.stage for one in jobs if (one.stage.verb, one.stage.model) == (stage.verb, stage.model)]
    shared = [one for one in alike if one.shard] or alike
    hours = None  # of the job that gathers what the shards have answered
    if stage in shared and step.hours_here:
        hours = replace(step.hours_here, value=step.hours_here.value / len(shared))
    return replace(job, gpus=gpus, gpu_memory_gib=step.gpu_memory_gib, hours=hours)


def _with_done(context: Context, jobs: Sequence[Job]) -> list[Job]:
    expected, done, found = _expected(context), set[Stage](), []
    for job in jobs:
        whole = replace(job.stage, shard=None)
        ended = any(_stamped(context, stage, expected.get(whole)) for stage in {job.stage, whole})
        if ended and done.issuperset(job.needs):
            done.add(job.stage)
        found.append(replace(job, done=job.stage in done))
    return found


def _stamped(context: Context, stage: Stage, inputs: str | None) -> bool:
    """Whether a stage has been done for these inputs."""
    with suppress(GliobenchError):
        stamp = read_stamp(context.folder.stamp(stage))
        return stamp is not None and stamp.inputs == inputs
    return False


def _expected(context: Context) -> dict[Stage, str]:
    """The fingerprints that the stages have now, as far as the stages before them have been done."""
    found: dict[Stage, str] = {}
    with suppress(GliobenchError, OSError):
        found[PREPARE] = prepare_inputs(context, find_cohort(context.cohort, context.study.problem))
        found[SPLIT] = split_inputs(context)
        for config in context.study.models:
            found |= {one.stage: one.inputs for one in config.learning(context)}
            found[Stage("predict", config.name)] = asking_inputs(context, config)
        found[SCORE] = scores_inputs(context)
        if context.study.learning_curve:
            found[CURVE] = curve_inputs(context)
        if context.study.seeds:
            found[SEEDS] = seeds_inputs(context)
        if context.study.sensitivity:
            found[SENSITIVITY] = sensitivity_inputs(context)
        found[REPORT] = report_inputs(context)
    return found
