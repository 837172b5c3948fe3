"""The coordinate convention of a model: which number comes first, and the unit of the numbers.

Prompts ask for whole pixels, row first. Some families of models were trained with another convention, and use it
whatever the prompt; the study file declares it, by the family's name or in full.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, get_args

from pydantic import ConfigDict, field_validator, model_validator
from pydantic.dataclasses import dataclass

Order = Literal["row-first", "x-first"]
Scale = Literal["pixels", "fractions", "percent", "thousandths", "1024ths", "multiples-of-28"] | tuple[int, int]

PARTS: dict[str, float] = {"fractions": 1, "percent": 100, "thousandths": 1000, "1024ths": 1024}
# Qwen2.5-VL's processor: sides are multiples of 28 pixels, an image has at least 4 and at most 16,384 such squares.
SIDE_PX, LEAST_PX, MOST_PX = 28, 4 * 28 * 28, 16_384 * 28 * 28
LOC, DIGITS = re.compile(r"(?:<loc\d{4}>\s?){2,4}"), re.compile(r"\d+")
OPENS, CLOSES = re.compile(r"<\|box_start\|>|<box>"), re.compile(r"<\|box_end\|>|</box>")
WORDS = re.compile(r"<\|?/?(?:object_)?ref(?:_start|_end)?\|?>")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Coordinates:
    """A coordinate convention; in a study file a name alone is that of a family.

    `order`: of two numbers, or of each two of four. `scale`: whole pixels of the image as sent; parts of its sides
    (`fractions` of 1, `percent`, `thousandths`, `1024ths`); pixels of the image after the model's processor resized its
    sides to multiples of 28 (Qwen2.5-VL); or its rows and columns (px) after another resizing.
    """

    order: Order = "row-first"
    scale: Scale = "pixels"

    @model_validator(mode="before")
    @classmethod
    def _a_family(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in FAMILIES:
            raise ValueError(f"expected one of {', '.join(FAMILIES)}, or `order` and `scale`, found {value!r}")
        return asdict(FAMILIES[value])

    @field_validator("scale")
    @classmethod
    def _has_a_size(cls, scale: Scale) -> Scale:
        if not isinstance(scale, str) and min(scale) < 1:
            raise ValueError(f"rows and columns of the resized image must be 1 px or more, found {scale}")
        return scale

    @property
    def as_asked(self) -> bool:
        """Whether it is the prompts' own convention."""
        return self == AS_ASKED

    @property
    def words(self) -> str:
        """Such as `x first, thousandths`."""
        scale = self.scale if isinstance(self.scale, str) else "pixels of {} x {}".format(*self.scale)
        return f"{self.order.replace('-', ' ')}, {scale.replace('-', ' ')}"

    @property
    def identity(self) -> Mapping[str, str]:
        """The convention as settings; none for the prompts' own."""
        return {} if self.as_asked else {"coordinates": self.words}

    def ends(self, shape: tuple[int, int]) -> tuple[float, float]:
        """The largest row and column in this convention for an image of `shape` (rows, columns)."""
        match self.scale:
            case "pixels":
                return shape[0] - 1, shape[1] - 1
            case "multiples-of-28":
                return resized_by_qwen(shape)
            case str(parts):
                return PARTS[parts], PARTS[parts]
            case size:
                return size

    def to_pixels(self, row: float, column: float, shape: tuple[int, int]) -> tuple[float, float]:
        """A row and a column in this convention, in pixels of the image; its far edge is its last pixel."""
        if self.scale == "pixels":
            return row, column
        return tuple(  # type: ignore[return-value]
            min(said / end * size, size - 1)
            for said, end, size in zip((row, column), self.ends(shape), shape, strict=True)
        )


AS_ASKED = Coordinates()
# From their model cards and papers: Qwen2-VL (arXiv 2409.12191), Qwen2.5-VL (arXiv 2502.13923), Qwen3-VL, InternVL
# (arXiv 2404.16821), PaliGemma (arXiv 2407.07726), Molmo (arXiv 2409.17146), Gemini's documentation on bounding boxes.
FAMILIES: dict[str, Coordinates] = {
    "as-asked": AS_ASKED,
    "gemini": Coordinates("row-first", "thousandths"),
    "internvl": Coordinates("x-first", "thousandths"),
    "molmo": Coordinates("x-first", "percent"),
    "paligemma": Coordinates("row-first", "1024ths"),
    "qwen2-vl": Coordinates("x-first", "thousandths"),
    "qwen2.5-vl": Coordinates("x-first", "multiples-of-28"),
    "qwen3-vl": Coordinates("x-first", "thousandths"),
}


def named_convention(text: str) -> Coordinates:
    """A family's convention, or one written as `ORDER,SCALE`. Raises ValueError."""
    order, _, scale = text.partition(",")
    if text in FAMILIES:
        return FAMILIES[text]
    if order not in get_args(Order) or scale not in ("pixels", "multiples-of-28", *PARTS):
        raise ValueError(f"{text!r} is not one of {', '.join(FAMILIES)}, nor an order and a scale: x-first,fractions")
    return Coordinates(order, scale)  # type: ignore[arg-type]


def known_family(model: str) -> str | None:
    """The family among `FAMILIES` that a checkpoint's or a served model's name, or its `model_type`, indicates."""
    name = re.sub(r"(?<=\d)_(?=\d)", ".", model.lower()).replace("_", "-")
    return next((family for family in FAMILIES if family in name), None)


def resized_by_qwen(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns (px) after Qwen2.5-VL's processor with its own settings, as `smart_resize` of transformers."""
    rows, columns = (max(SIDE_PX, round(side / SIDE_PX) * SIDE_PX) for side in shape)
    if rows * columns > MOST_PX:
        shrink = math.sqrt(shape[0] * shape[1] / MOST_PX)
        rows, columns = (max(SIDE_PX, math.floor(side / shrink / SIDE_PX) * SIDE_PX) for side in shape)
    elif rows * columns < LEAST_PX:
        grow = math.sqrt(LEAST_PX / (shape[0] * shape[1]))
        rows, columns = (math.ceil(side * grow / SIDE_PX) * SIDE_PX for side in shape)
    return rows, columns


def without_marks(text: str) -> str:
    """A text with location markers (`<loc0123>`, `<|box_start|>`, `<box>`) as brackets, and without markers of
    words."""
    text = LOC.sub(lambda four: f"[{', '.join(DIGITS.findall(four[0]))}]", text)
    return WORDS.sub("", CLOSES.sub("]", OPENS.sub("[", text)))
