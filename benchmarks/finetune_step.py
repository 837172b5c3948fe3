"""A step of fine-tuning against TRL used plainly on the same conversations: as fast, with the same loss.

    python benchmarks/finetune_step.py [--steps 12] [--family mllama]

TRL plainly: its own trainer and collator on a data set of ready images and messages; its labels are then masked up to
the answer, as its documentation advises, so that both losses are of the same tokens. The same examples in the same
order go through both, with the same learning rate, seed and LoRA. Medians of CPU seconds from one step's end to the
next one's: making the batch counts too.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.checkpoints.load import quiet
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.models.tiny import write_tiny_idefics3, write_tiny_mllama
from gliobench.training.finetune import fit
from gliobench.training.finetune.collator import IGNORED, AnswerCollator
from gliobench.training.finetune.examples import EpochSampler, Example, kinds, slice_examples
from gliobench.training.finetune.settings import FinetuneSettings
from gliobench.training.finetune.towers import lora_config

WRITERS = {"mllama": write_tiny_mllama, "idefics3": write_tiny_idefics3}
WARM_UP, BATCH = 2, 4


class Clock(TrainerCallback):
    """CPU seconds and loss of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def on_train_begin(self, *arguments: Any, **rest: Any) -> None:
        self.start = time.process_time()

    def on_step_end(self, *arguments: Any, **rest: Any) -> None:
        now = time.process_time()
        self.seconds.append(now - self.start)
        self.start = now

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any) -> None:
        if "loss" in logs:
            self.losses.append(logs["loss"])


def made_patient(number: int) -> PreparedSubject:
    """Noise with a bright block, (8, 96, 96)."""
    random = np.random.default_rng(number)
    image, labels = random.integers(1, 180, (4, 8, 96, 96), dtype=np.uint8), np.zeros((8, 96, 96), np.uint8)
    row, column = random.integers(10, 60, 2)
    labels[:, row : row + 20, column : column + 16] = 2
    image[:, labels > 0] = 250
    eye = np.eye(4)
    return PreparedSubject(f"P{number}", number % 2, image, labels, eye, eye, (96, 96, 8), False, str(number))


def ours(model: VisionLanguageModel, examples: Sequence[Example], settings: FinetuneSettings, out: Path) -> Clock:
    """Our trainer's steps; its one judgement, on two slices behind the last step, is not timed."""
    clock = Clock()
    trainer = fit._trainer(model, examples, examples[:2], out, settings, lambda _: {"score": 0.0}, lambda *_: None)
    trainer.args.logging_steps = 1
    trainer.add_callback(clock)
    trainer.train()
    return clock


def plain(model: VisionLanguageModel, examples: Sequence[Example], settings: FinetuneSettings, out: Path) -> Clock:
    """TRL's trainer on ready images and messages, in our order."""
    clock, answers = Clock(), AnswerCollator(model, examples)
    rows = []
    for place in EpochSampler(kinds(examples), settings):
        example = examples[place]
        (asked,) = model.turns(example.question)
        image, prompt = asked["content"]
        text = model.answer_text(example.question, example.truth)
        messages = [{"role": "user", "content": prompt["text"]}, {"role": "assistant", "content": text}]
        rows.append({"images": [image["image"]], "messages": messages, "answer": len(answers.answer(example))})
    trainer = SFTTrainer(
        model=model.checkpoint.model,
        args=SFTConfig(
            output_dir=str(out),
            max_length=None,
            max_steps=settings.steps,
            per_device_train_batch_size=settings.batch_size,
            gradient_accumulation_steps=settings.accumulation,
            gradient_checkpointing=False,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.schedule,
            warmup_steps=settings.warmup,
            optim="adamw_torch",
            bf16=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            seed=settings.seed,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            train_sampling_strategy="sequential",
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=model.checkpoint.processor,
        data_collator=OnlyAnswers(model),
        peft_config=lora_config(settings),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock


class OnlyAnswers:
    """TRL's own collator; of its labels only each row's last turn stays."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.collate = DataCollatorForVisionLanguageModeling(processor=model.checkpoint.processor, max_length=None)
        self.ends = torch.tensor(sorted(model.checkpoint.end_ids))

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = self.collate([{"images": row["images"], "messages": row["messages"]} for row in rows])
        there = torch.isin(batch["input_ids"], self.ends) & (batch["attention_mask"] == 1)
        for labels, ends, row in zip(batch["labels"], there, rows, strict=True):
            behind = int(ends.nonzero()[-1]) + 1
            labels[: behind - row["answer"]] = IGNORED
            labels[behind:] = IGNORED
        return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--family", choices=WRITERS, default="mllama")
    options = parser.parse_args()
    torch.set_num_threads(1)
    examples = slice_examples([made_patient(number) for number in range(8)], ("grade", "centre"), ("axial",))
    if options.steps * BATCH > len(examples):
        parser.error(f"--steps: at most {len(examples) // BATCH}, one epoch: of the next, TRL knows no order of ours")
    settings = FinetuneSettings(
        rank=8, dropout=0.0, towers="both", learning_rate=1e-3, steps=options.steps, batch_size=BATCH, accumulation=1,
        gradient_checkpointing=False, evaluate_every=options.steps, optimiser="adamw", precision="float32",
    )  # fmt: skip
    clocks = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = WRITERS[options.family](Path(folder) / "checkpoint")
        for name, train in (("ours", ours), ("TRL plainly", plain)):
            model = VisionLanguageModel(checkpoint, tasks=("grade", "centre"), to_train=True)
            with quiet():
                clocks[name] = train(model, examples, settings, Path(folder) / name.replace(" ", "-"))
    seconds = {name: statistics.median(clock.seconds[WARM_UP:]) for name, clock in clocks.items()}
    pairs = zip(clocks["ours"].losses, clocks["TRL plainly"].losses, strict=True)
    apart = max(abs(one - other) for one, other in pairs)
    for name, clock in clocks.items():
        print(f"{name:12} {seconds[name] * 1000:8.1f} ms a step   loss {clock.losses[0]:.4f} -> {clock.losses[-1]:.4f}")
    ratio = seconds["TRL plainly"] / seconds["ours"]
    print(f"{ratio:.2f} times as fast; losses differ by up to {apart:.1e} in {options.steps} steps")
    result = {"family": options.family, "steps": options.steps, "seconds": seconds, "ratio": ratio, "loss_apart": apart}
    print(json.dumps({"benchmark": "finetune_step", **result}))


if __name__ == "__main__":
    main()
