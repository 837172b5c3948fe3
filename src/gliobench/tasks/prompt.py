"""The prompts of tasks; the project's own are one text file per task."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import SliceFrame
from gliobench.grid.regions import Region

MOST_TOKENS = 131_072
REGION = "{region}"  # in a prompt: the name of the region that is asked about


@dataclass(frozen=True)
class Prompt:
    """A prompt. `max_new_tokens`: the token limit of its answer.

    `text` may hold `{rows}` and `{columns}`, which stand for the image's size.
    """

    name: str
    version: str
    text: str
    max_new_tokens: int

    def about(self, frame: SliceFrame) -> str:
        """The text for a slice: `{rows}` and `{columns}` are the frame's."""
        return self.text.replace("{rows}", str(frame.shape[0])).replace("{columns}", str(frame.shape[1]))

    def of(self, region: Region, problem: Problem) -> "Prompt":
        """The prompt with a region's name in place of `{region}`, and the problem's words in place of `{scan}` and
        `{classes}`."""
        known = {
            REGION: f"the {region.words}",
            "{scan}": problem.scan,
            "{classes}": ", ".join(f"{one} for {problem.words_of_class(one)}" for one in range(problem.none + 1)),
        }
        text = self.text
        for placeholder, words in known.items():
            text = text.replace(placeholder, words)
        return replace(self, text=text)


@cache
def own_prompt(task: str) -> Prompt:
    """The project's own prompt of a task: a text file whose first line gives its version and its token limit."""
    head, _, text = files("gliobench.tasks").joinpath("prompts", f"{task}.txt").read_text("utf-8").partition("\n")
    _, version, _, max_new_tokens = head.split()
    return Prompt(task, version, text.strip(), int(max_new_tokens))
