"""Fine-tune a tiny checkpoint and leave what it learnt: `on_cpu.py ENGINE FOLDER OUT SETTINGS STOP_AT`.

Unsloth loads no vision model without a GPU. Its own tests get round that with UNSLOTH_ALLOW_CPU, which this does too,
and three questions about the GPU are answered here. All else is Unsloth's: its loader, the transformers and TRL that it
rewrites, its adapter. Its kernels, torch.compile and its checkpointing in the host's memory stay off.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def import_unsloth() -> None:
    """Unsloth as it is imported beside a GPU, before transformers."""
    os.environ |= {"UNSLOTH_ALLOW_CPU": "1", "UNSLOTH_COMPILE_DISABLE": "1", "UNSLOTH_DISABLE_STATISTICS": "1"}
    import torch
    import unsloth
    from unsloth.models import loader, vision
    from unsloth.models.rl import PatchFastRL
    from unsloth.trainer import _patch_trl_trainer

    vision.get_device_stats = lambda: ("no GPU", "", 0)
    torch.cuda.get_device_capability = lambda: (8, 0)  # type: ignore[assignment,misc]
    loader.apply_unsloth_gradient_checkpointing = lambda use, *_, **__: use
    os.environ["UNSLOTH_ALLOW_CPU"] = "0"  # with it TRL's trainer would be left as it is
    PatchFastRL(FastLanguageModel=unsloth.FastLanguageModel)
    _patch_trl_trainer()


def learn(engine: Any, folder: Path, out: Path, given: dict[str, Any], stop_at: int) -> dict[str, Any]:
    """Fine-tune, and say what came of it; the process ends with 7 at step `stop_at`."""
    from peft.tuners.lora import LoraLayer
    from tests.training.finetune.made import PROMPTS, TASKS, patient
    from trl import SFTTrainer

    from gliobench.models.language.vlm import VisionLanguageModel
    from gliobench.training.finetune.examples import slice_examples
    from gliobench.training.finetune.fit import finetune
    from gliobench.training.finetune.settings import FinetuneSettings

    model = VisionLanguageModel(folder, tasks=TASKS, prompts=PROMPTS, to_train=True, engine=engine)
    examples = slice_examples([patient(number) for number in range(6)], TASKS, ("axial",))
    found = finetune(
        model,
        examples[:32],
        examples[32:],
        out,
        FinetuneSettings(engine=engine, **given),
        score=lambda answers: {"score": len(answers)},
        progress=lambda step, _: sys.exit(7) if step == stop_at else None,
    )
    network = model.checkpoint.model
    return {
        "verdicts": [str(verdict) for verdict in found.verdicts],
        "layers": sorted(name for name, one in network.named_modules() if isinstance(one, LoraLayer)),
        "model": type(network).__module__,
        "trainer": SFTTrainer.__name__,
        "said": [one.text for one in model.predict([example.question for example in examples[32:40]])],
    }


if __name__ == "__main__":
    if sys.argv[1] == "unsloth":
        import_unsloth()
    left = learn(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]), int(sys.argv[5]))
    (Path(sys.argv[3]) / "left.json").write_text(json.dumps(left))
