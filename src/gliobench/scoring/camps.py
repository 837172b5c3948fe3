"""The camps that a study holds against one another, and which of them against which by default."""

from typing import Literal, get_args

Camp = Literal["general", "fine-tuned", "specialised", "trivial"]
CAMPS: tuple[Camp, ...] = get_args(Camp)
# Each pair, its first minus its second; one Holm family per task.
DEFAULT_PAIRS: tuple[tuple[Camp, Camp], ...] = (
    ("fine-tuned", "general"),
    ("specialised", "general"),
    ("specialised", "fine-tuned"),
    ("general", "trivial"),
    ("fine-tuned", "trivial"),
    ("specialised", "trivial"),
)
