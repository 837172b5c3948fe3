"""Where memory runs out the batch is halved, and every question has its one answer in its place."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.batches import BatchSize, in_batches

ROOT = Path(__file__).resolve().parents[2]

SHORT_OF_MEMORY = """
import logging, resource, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from tests.models.vlms import FAMILIES, question

logging.basicConfig(format="%(message)s")
folder = FAMILIES["mllama"](Path(sys.argv[1]) / "checkpoint")
model = VisionLanguageModel(folder, decoding=Decoding(max_new_tokens=1), batch_size=2)
questions = [question("grade", n % 12, seed=1 + n // 12) for n in range(160)]
expected = [prediction.text for prediction in model.predict(questions)]
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = used + 8 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
model._batch_size.now = 160
assert [prediction.text for prediction in model.predict(questions)] == expected
print("size", model._batch_size.now)
"""


def test_answers_are_the_same_and_all_there_when_memory_really_runs_out(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    assert "out of memory with a batch size of 160; continuing with 80" in ended.stderr
    assert int(ended.stdout.split()[1]) <= 80


def test_nothing_is_asked_twice_but_the_batch_that_failed() -> None:
    asked: list[list[int]] = []

    def ask(batch: Sequence[int]) -> list[int]:
        asked.append(list(batch))
        if len(batch) > 2 and batch[-1] > 7:
            raise MemoryError
        return [number * 10 for number in batch]

    size = BatchSize(4)
    assert list(in_batches(range(11), ask, size)) == [number * 10 for number in range(11)]
    assert asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10], [8], [9], [10]]
    assert size.now == 1


def test_one_question_that_does_not_fit_is_an_error_and_other_errors_pass() -> None:
    def full(_batch: Sequence[int]) -> list[int]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    with pytest.raises(ModelError, match="can't allocate memory"):
        list(in_batches([1, 2], full, BatchSize(2)))

    def broken(_batch: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(in_batches([1, 2], broken, BatchSize(2)))
