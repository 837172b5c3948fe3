"""A task of another package, and a baseline that answers it."""

import re
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from gliobench.models.baselines.rule import Rule
from gliobench.tasks.answer import Answered
from gliobench.tasks.base import Drawing, Task
from gliobench.tasks.coordinates import AS_ASKED
from gliobench.tasks.geometry import Value
from gliobench.tasks.mask import MASK
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.reading import judge, says_nothing


@dataclass(frozen=True)
class Diameter(Value):
    """The longest distance between two pixels of a tumour in a slice, from middle to middle."""

    mm: float


class DiameterTask(Task):
    """The tumour's longest diameter in a slice."""

    name, value_type, json_key = "diameter", Diameter, "diameter_mm"
    summary = "the tumour's longest diameter in a slice, in mm"
    expected = "a length such as 23.5 mm"
    truth_format = "a length in mm"
    compared_as, primary = "diameter", ("error_mm",)
    has_place = False
    prompt = region_prompt = Prompt(name, "1", "How long is the tumour in mm? Answer such as 23.5 mm, or none.", 16)

    @property
    def derived_from(self):
        return {MASK.name: self.of_mask}

    def of_mask(self, mask):
        pixels = np.argwhere(mask.pixels) * mask.frame.spacing_mm
        return Diameter(float(max(pdist(pixels), default=0.0))) if len(pixels) else None

    def write(self, value):
        self.expect(value)
        return f"{value.mm:.1f} mm"

    def parse(self, text, frame, cut_off, coordinates=AS_ASKED):
        def find(text):
            length = re.search(r"(\d+(?:\.\d+)?) ?mm\b", text)
            return Answered(Diameter(float(length[1])) if length else None) if length or says_nothing(text) else None

        return judge(text, cut_off, find, self.expected)

    def pattern(self, numbers):
        return r"([0-9]{1,3}\.[0-9] mm|none)"

    def longest(self, shape):
        return "999.9 mm"

    def to_json(self, value):
        return value.mm

    def from_json(self, content, frame):
        return Diameter(float(content))

    def exact(self, value):
        return f"{value.mm:.10g}"

    def drawn(self, value):
        return Drawing(words=self.write(value))


def ten_mm(train, plane):
    """Always 10 mm."""
    return Rule("ten-mm", frozenset({DiameterTask.name}), True, {}, lambda question: Diameter(10.0))
