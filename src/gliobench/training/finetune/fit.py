"""Fine-tune a vision-language model with TRL; an interrupted training resumes with the same result."""

import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction
from gliobench.models.checkpoints.load import quiet
from gliobench.models.checkpoints.quantised import quantisation_fault
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.training.errors import DivergedError
from gliobench.training.finetune.checks import Verdict, apart, check, fixed_logits
from gliobench.training.finetune.collator import AnswerCollator
from gliobench.training.finetune.curves import write_curves, write_losses
from gliobench.training.finetune.examples import EpochSampler, Example, check_patients, kinds, patients, spread_out
from gliobench.training.finetune.settings import STEPS, FinetuneSettings, recorded, total_steps
from gliobench.training.finetune.towers import check_learns, free_towers, trainable_by_tower, with_lora
from gliobench.training.launched import on_this_machine

FIGURES = ("eval_loss", "eval_score", "eval_task_")
CURVES, LOSSES, INPUTS = "curves.csv", "losses.csv", "inputs.txt"
Score = Callable[[Sequence[Prediction]], Mapping[str, float]]


@dataclass(frozen=True)
class Finetuned:
    """The result of a fine-tuning: `steps` taken, the `best` one, its `figures` on validation slices, and
    `verdicts`."""

    steps: int
    best: int
    figures: Mapping[str, float]
    seconds: float
    verdicts: Sequence[Verdict]


def finetune(
    model: VisionLanguageModel,
    train: Sequence[Example],
    validation: Sequence[Example],
    out: Path,
    settings: FinetuneSettings,
    *,
    score: Score,
    tested: frozenset[str] = frozenset(),
    progress: Callable[[int, int], None] = lambda step, steps: None,
) -> Finetuned:
    """Train `model` in place and leave the best adapter (or all weights) and its curves in `out`; with `patients: all`
    `validation` is empty, and the last step is left.

    `score`: metrics of answers about validation slices, with the key `score`, larger is better. `tested`: the patients
    who will be tested. Called again after an interruption it resumes from the last evaluation, with the same result;
    its checkpoints stay in the folder `STEPS`, which the caller removes when everything is written. Raises ModelError:
    no training or validation slices, a patient in two parts, no trainable parameters; DivergedError where no validation
    loss is finite, or without validation the logits are not.
    """
    check_patients(train, validation, tested, settings)
    watched = spread_out(validation, settings.validation_slices)
    fixed = (watched or train)[0]
    before = fixed_logits(model, fixed)
    with _calm(), on_this_machine():
        trainer = _trainer(model, train, watched, out, settings, score, progress)
        counts = trainable_by_tower(trainer.model)
        trainer.go_on(_resume(out / STEPS, _inputs(model, train, watched, settings)))
    state = trainer.state
    evaluated = {one["step"]: one for one in state.log_history if "eval_loss" in one}
    if watched:
        best_step, best = state.best_global_step, evaluated.get(state.best_global_step, {"eval_loss": math.nan})
        finite = math.isfinite(best["eval_loss"])  # a score is finite even where no logit is
    else:
        best_step, best = state.global_step, {}
        finite = bool(fixed_logits(model, fixed).isfinite().all())  # transformers hides a loss that is not finite
    if not finite:
        shutil.rmtree(out / STEPS)
        raise DivergedError(
            f"{out}: training diverged (no finite validation loss): lower learning_rate; see {out / CURVES}"
        )
    network = trainer.model.eval()
    _save(model, network, out, settings)
    verdicts = [
        *check(model, network, settings, counts, before, fixed),
        apart(patients(train), patients(validation), tested),
    ]
    figures = {key.removeprefix("eval_"): value for key, value in best.items() if key.startswith(FIGURES)}
    seconds = max(entry.get("eval_seconds", 0.0) for entry in state.log_history)
    return Finetuned(state.global_step, best_step, figures, seconds, verdicts)


@contextmanager
def _calm() -> Iterator[None]:
    """Hide the libraries' warnings: transformers 5.23 deprecates names that older ones and TRL use."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _trainer(
    model: VisionLanguageModel,
    train: Sequence[Example],
    watched: Sequence[Example],
    out: Path,
    settings: FinetuneSettings,
    score: Score,
    progress: Callable[[int, int], None],
) -> Any:
    from datasets import Dataset
    from transformers import EarlyStoppingCallback, PrinterCallback

    from gliobench.training.finetune.trainer import Marker, Teller, Tuner

    network = model.checkpoint.model
    check_learns(model.name, network, settings)
    adapter = None
    if settings.method == "full":
        free_towers(network, settings.towers)
    else:
        network, adapter = with_lora(network, settings)
    questions = [example.question for example in watched]
    examples = [*train, *watched]
    # TRL recognises images by a column of this name; the collator renders them from the numbers.
    training, evaluated = (
        Dataset.from_dict({"images": list(part)}) for part in (range(len(train)), range(len(train), len(examples)))
    )
    sampler = EpochSampler(kinds(train), settings)
    stopping = [EarlyStoppingCallback(settings.patience)] if watched else []
    trainer = Tuner(
        model=network,
        args=_arguments(model, out, settings, len(sampler), validated=bool(watched)),
        train_dataset=training,
        eval_dataset=evaluated if watched else None,
        processing_class=model.checkpoint.processor,
        data_collator=AnswerCollator(model, examples),
        peft_config=adapter,
        callbacks=[
            *stopping,
            Teller(
                progress,
                logged=lambda history: write_losses(out / LOSSES, history),
                evaluated=lambda history: write_curves(out / CURVES, history),
            ),
            Marker(),
        ],
        judge=lambda: score(list(model.predict(questions))),
        sampler=sampler,
    )
    trainer.remove_callback(PrinterCallback)
    model.checkpoint.processor.tokenizer.padding_side = "left"  # Unsloth's trainer turns it
    return trainer


def _arguments(
    model: VisionLanguageModel, out: Path, settings: FinetuneSettings, draws: int, *, validated: bool
) -> Any:
    from trl import SFTConfig

    evaluated = min(settings.evaluate_every, total_steps(settings, draws))
    network = model.checkpoint.model
    on_cpu = network.device.type == "cpu"
    return SFTConfig(
        output_dir=str(out / STEPS),
        max_length=None,  # else image tokens are truncated
        max_steps=settings.steps or -1,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        gradient_checkpointing=settings.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},  # the reentrant kind fails with frozen 4-bit weights
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule if settings.warmup == 0 else _with_warmup(settings.schedule),
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        optim=_optimiser(settings),
        bf16=_bfloat16(model, settings),
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        seed=settings.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a loss that is not finite is replaced by the mean of others
        eval_strategy="steps" if validated else "no",
        eval_steps=evaluated,
        save_strategy="steps",
        save_steps=evaluated,
        save_total_limit=2,
        load_best_model_at_end=validated,
        metric_for_best_model=f"eval_{settings.metric}",
        greater_is_better=settings.metric == "score",
        restore_callback_states_from_checkpoint=True,
        report_to="none",
        disable_tqdm=True,
    )


def _with_warmup(schedule: str) -> str:
    return "constant_with_warmup" if schedule == "constant" else schedule


def _optimiser(settings: FinetuneSettings) -> str:
    fault = quantisation_fault()
    if settings.optimiser == "adamw-8bit" and fault:
        raise ModelError(f"optimiser adamw-8bit cannot be used here: {fault}; use auto or adamw")
    return "adamw_torch" if settings.optimiser == "adamw" or fault else "adamw_8bit"


def _bfloat16(model: VisionLanguageModel, settings: FinetuneSettings) -> bool:
    """Whether to compute in bfloat16: where it is set, or the weights are stored so, or the GPU supports it."""
    if settings.precision != "auto":
        return settings.precision == "bfloat16"
    network = model.checkpoint.model
    can = network.device.type == "cuda" and torch.cuda.is_bf16_supported()
    return bool(can or network.dtype == torch.bfloat16)


def _resume(steps: Path, inputs: str) -> Path | None:
    """The checkpoint to resume from, where there is one of the same training."""
    from gliobench.training.finetune.trainer import last_whole

    marker = steps / INPUTS
    if not marker.is_file() or marker.read_text(encoding="utf-8", errors="replace") != inputs:
        shutil.rmtree(steps, ignore_errors=True)
        steps.mkdir(parents=True)
        marker.write_text(inputs, encoding="utf-8")
    return last_whole(steps)


def _inputs(
    model: VisionLanguageModel, train: Sequence[Example], watched: Sequence[Example], settings: FinetuneSettings
) -> str:
    """Digest of everything that determines the result."""
    asked = [
        [example.question.subject.content, example.question.task, str(example.question.frame)]
        for example in (*train, *watched)
    ]
    content = [dict(model.settings), recorded(settings), asked]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _save(model: VisionLanguageModel, network: Any, out: Path, settings: FinetuneSettings) -> None:
    """An adapter in PEFT's own files, or a whole checkpoint with its processor."""
    with quiet():
        if settings.method == "full":
            network.save_pretrained(out)
            model.checkpoint.processor.save_pretrained(out)
            return
        for config in network.peft_config.values():
            config.base_model_name_or_path = model.checkpoint.id  # not a folder of this machine
        network.save_pretrained(out, save_embedding_layers=False)  # else the Hub is queried for the base model
