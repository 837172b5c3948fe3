"""TRL's trainer with this project's sampling, evaluation and checkpoints, none of them pickled."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import TrainerState
from trl import SFTTrainer

from gliobench.integrity import DamagedError, Stamp, left_in, listed, read_json, write_json
from gliobench.training.checkpoint import optimiser_tensors, restore_optimiser, save_tensors
from gliobench.training.finetune.curves import STEP_LOSS
from gliobench.training.finetune.examples import EpochSampler

OPTIMISER, RANDOM, SCHEDULE, WHOLE = "optimiser.safetensors", "random.safetensors", "schedule.json", "whole"
FILES = "files"
log = logging.getLogger(__name__)

STOP = "should_training_stop"
Judge = Callable[[], Mapping[str, float]]
Written = Callable[[list[dict[str, Any]]], None]  # what to do with the trainer's history


class Tuner(SFTTrainer):  # type: ignore[misc]
    """`judge`: the metrics of the model's own answers, with the key `score`. `sampler`: the order of the examples."""

    def __init__(self, *arguments: Any, judge: Judge, sampler: EpochSampler, **options: Any) -> None:
        self.judge, self.sampler = judge, sampler
        self.clock = perf_counter()
        super().__init__(*arguments, **options)

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
        return self.sampler

    def log(self, logs: dict[str, float], *rest: Any) -> None:
        """Also log the loss of the step, under a name that earlier versions did not use for means; without validation,
        also the `seconds` since the training began at each saved step."""
        if "loss" in logs:
            logs = {**logs, STEP_LOSS: logs["loss"]}
            if self.eval_dataset is None and self._is_saved():
                logs["eval_seconds"] = self._seconds()
        super().log(logs, *rest)

    def _is_saved(self) -> bool:
        step = self.state.global_step
        return bool(step % self.args.save_steps == 0 or step >= self.state.max_steps)

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """The validation loss and the metrics of the model's own answers; `seconds` since the training began."""
        output = super().evaluation_loop(*arguments, **options)
        output.metrics.update({f"eval_{name}": value for name, value in self.judge().items()})
        output.metrics["eval_seconds"] = self._seconds()
        return output

    def _seconds(self) -> float:
        """Training time so far: the last logged value and the clock since then."""
        before = [entry["eval_seconds"] for entry in self.state.log_history if "eval_seconds" in entry]
        now = perf_counter()
        seconds = float(before[-1] if before else 0.0) + now - self.clock
        self.clock = now
        return seconds

    def go_on(self, checkpoint: Path | None) -> None:
        """Train from a checkpoint to the end, or from the beginning.

        A checkpoint of a finished training gives its best weights, or without validation its own: transformers would
        take one step more.
        """
        state = None if checkpoint is None else TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        if checkpoint is None or state is None or not state.stateful_callbacks["TrainerControl"]["args"][STOP]:
            self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
            return
        self.state = state
        if self.eval_dataset is None:
            state.best_model_checkpoint = str(checkpoint)
        if state.best_model_checkpoint is not None:
            state.best_model_checkpoint = str(checkpoint.with_name(Path(state.best_model_checkpoint).name))
            self._load_best_model()

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        save_tensors(optimiser_tensors(self.optimizer), Path(output_dir) / OPTIMISER)
        schedule = {key: value for key, value in self.lr_scheduler.state_dict().items() if key != "lr_lambdas"}
        (Path(output_dir) / SCHEDULE).write_text(json.dumps(schedule), encoding="utf-8")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        restore_optimiser(self.optimizer, load_file(Path(checkpoint) / OPTIMISER))
        schedule = json.loads((Path(checkpoint) / SCHEDULE).read_text(encoding="utf-8"))
        self.lr_scheduler.load_state_dict({**self.lr_scheduler.state_dict(), **schedule})
        for group, rate in zip(self.optimizer.param_groups, schedule["_last_lr"], strict=True):
            group["lr"] = rate

    def _save_rng_state(self, output_dir: str) -> None:
        states = {"cpu": torch.random.get_rng_state()}
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state()
        save_tensors(states, Path(output_dir) / RANDOM)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        states = load_file(Path(checkpoint) / RANDOM)
        torch.random.set_rng_state(states["cpu"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])


class Marker(TrainerCallback):  # type: ignore[misc]
    """Marks a checkpoint as complete: a process can be killed while writing."""

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Called after the last file of a checkpoint."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        write_json(folder / WHOLE, {FILES: listed(left_in(folder), folder)})


class Teller(TrainerCallback):  # type: ignore[misc]
    """Reports the progress of a training, and writes the losses of its steps, and its curves whenever its state is
    saved."""

    def __init__(self, step: Callable[[int, int], None], logged: Written, evaluated: Written) -> None:
        self.step, self.logged, self.evaluated = step, logged, evaluated

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Called after each step of the optimiser."""
        self.step(state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Called after each step, when its loss is in the history."""
        self.logged(state.log_history)

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Called after the loss and any evaluation, when they are in the history."""
        self.evaluated(state.log_history)


def last_whole(folder: Path) -> Path | None:
    """The last complete and intact checkpoint; damaged ones are logged."""
    marked = (path.parent for path in folder.glob(f"checkpoint-*/{WHOLE}"))
    for checkpoint in sorted(marked, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        try:
            faults = Stamp("", 0.0, read_json(checkpoint / WHOLE, FILES)[FILES]).faults(checkpoint)
        except DamagedError as error:
            faults = {WHOLE: str(error)}
        if not faults:
            return checkpoint
        log.warning("%s; the training does not resume from it", "; ".join(faults.values()))
    return None
