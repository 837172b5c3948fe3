"""How a patient is brought to the common grid."""

from dataclasses import dataclass
from typing import Literal

Preset = Literal["brain", "study", "tumour"]
PRESETS: tuple[Preset, ...] = ("brain", "study", "tumour")
SHAPE = (95, 128, 128)  # depth, height, width of the reference study


@dataclass(frozen=True)
class Recipe:
    """A named recipe and the grid's shape (D, H, W).

    `brain`: the box of the brain (non-zero voxels) at one isotropic spacing, aspect kept, no truth used.
    `study`: the reference study's: 30 mm off both ends, 128 mm x 128 mm in plane around the middle of the brain's box,
    intensities clipped at percentiles 1 and 99, min-max, histogram equalised. Its random crop is a centred one here.
    `tumour`: 95 x 128 x 128 mm around the middle of the tumour's box. It uses the truth: an oracle.
    """

    preset: Preset = "brain"
    shape: tuple[int, int, int] = SHAPE

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"preset {self.preset!r}: expected {', '.join(PRESETS)}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape {self.shape}: expected three positive numbers (depth, height, width)")

    @property
    def oracle(self) -> bool:
        """Whether the truth is used to place the grid."""
        return self.preset == "tumour"
