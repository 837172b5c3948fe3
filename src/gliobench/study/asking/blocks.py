"""Questions in blocks of a few patients: no batch reaches over a block, so that a part of the blocks is answered to the
last bit as all of them are."""

from collections.abc import Sequence

from gliobench.models.base.prediction import Question
from gliobench.study.parts.stage import Shard

SCANS = 4  # in a block: few enough to be shared out evenly, with questions enough to fill batches


def block_numbers(questions: Sequence[Question]) -> list[int]:
    """The block of each question: each has the next `SCANS` scans, in the order in which these first appear."""
    places = {id: place for place, id in enumerate(dict.fromkeys(question.subject.id for question in questions))}
    return [places[question.subject.id] // SCANS for question in questions]


def of_shard(questions: Sequence[Question], shard: Shard) -> list[Question]:
    """The questions of the blocks that fall to a shard, in turn with the others."""
    numbers = block_numbers(questions)
    return [one for one, number in zip(questions, numbers, strict=True) if number % shard.of == shard.number - 1]
