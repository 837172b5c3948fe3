"""What a language model of a study is fine-tuned on, as files to fine-tune with elsewhere: a PNG per slice as shown, a
line of JSON per conversation."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.cohort.patients import names_of
from gliobench.grid.regions import Region
from gliobench.grid.splits import Fold
from gliobench.integrity import write_json
from gliobench.models.language.conversation import answer_text, question_text
from gliobench.models.language.finetuned import DESCRIPTION
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.showing.slice_images import write_slices
from gliobench.study.stages.finetune import (
    base_trained_on,
    examples_of,
    finetune_settings,
    finetuned_folds,
    taught_patients,
)
from gliobench.study.state.context import Context, StageError, check_apart, check_writable
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    from gliobench.training.finetune.examples import Example
    from gliobench.training.finetune.formats import Format

TRAIN, VALIDATION, INFO = "train.jsonl", "validation.jsonl", "dataset_info.json"


def write_conversations(context: Context, name: str, out: Path, form: "Format") -> tuple[int, int]:
    """Write the conversations that the model of this name is fine-tuned on here; returns how many to learn from and
    how many to validate on.

    `train.jsonl`: in the order in which the fine-tuning draws them, balanced as there: one drawn again comes again.
    `validation.jsonl`: those that its validation loss is computed on. `images/`: the slices as the model sees them.
    `finetune.json`: whom they are about, to lie beside what is learnt from them. `dataset_info.json`: LLaMA-Factory's.
    Raises StageError for a model without `finetune:`, several folds, and a folder that holds anything; ModelError for a
    patient in two parts of the split, and where there is nothing to learn from.
    """
    from gliobench.training.finetune.examples import check_patients, drawn, spread_out
    from gliobench.training.finetune.formats import dataset_info

    config, (number, fold) = _finetuned(context, name), _only_fold(context)
    check_apart(context.cohort, out)
    check_writable("--to", out)
    if out.is_dir() and any(out.iterdir()):
        raise StageError(f"--to {out} is not empty, and slices of test patients could lie there: give another place")
    settings, before = finetune_settings(config), base_trained_on(config, fold)
    train, validation = (examples_of(context, config, settings, ids) for ids in taught_patients(settings, fold))
    check_patients(train, validation, frozenset(fold.whose(fold.test).values()), settings)
    chosen, watched = drawn(train, settings), spread_out(validation, settings.validation_slices)
    seen = list(dict.fromkeys(chosen))
    lines = _lines(config, context.study.asked_region, [*(train[place] for place in seen), *watched], out, form)
    by_place = dict(zip(seen, lines, strict=False))  # those to validate on follow
    parts = {TRAIN: [by_place[place] for place in chosen], VALIDATION: lines[len(seen) :]}
    for file, own in parts.items():
        (out / file).write_text("".join(own), encoding="utf-8")
    if form == "llamafactory":
        info = dataset_info({f"{name}-{Path(file).stem}": file for file in parts})
        (out / INFO).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    description = {
        "base": config.checkpoint,
        "revision": config.revision,
        "settings": asdict(settings),
        "split": context.split.checksum,
        "fold": number,
        "trained_on": sorted(names_of(one.question.subject for one in (*train, *validation)) | before),
    }
    write_json(out / DESCRIPTION, description)
    return len(chosen), len(watched)


def _finetuned(context: Context, name: str) -> LanguageModelConfig:
    known = {config.name: config.finetuned for config in context.study.models if config.finetuned is not None}
    if name not in known:
        raise StageError(f"{name} is no model with `finetune:`; the study has {', '.join(known) or 'none'}")
    return known[name]


def _only_fold(context: Context) -> tuple[int, Fold]:
    folds = finetuned_folds(context)
    if len(folds) > 1:
        raise StageError(f"{len(folds)} folds are in use, and each learns from other patients: choose one with --fold")
    return folds[0]


def _lines(
    config: LanguageModelConfig, region: Region, examples: "Sequence[Example]", out: Path, form: "Format"
) -> list[str]:
    """Each example as a line, its image written."""
    from gliobench.training.finetune.formats import FORMATS

    view, prompts = config.picture, config.prompts_of(region)
    questions = [example.question for example in examples]
    lines = []
    for image, question, truth in zip(
        write_slices(questions, view, out), questions, (example.truth for example in examples), strict=True
    ):
        prompt = prompts.get(question.task, TASKS[question.task].prompt)
        line = FORMATS[form](image, question_text(question, prompt, view), answer_text(question, truth, view))
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return lines
