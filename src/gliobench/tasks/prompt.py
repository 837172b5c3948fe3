"""The words a task is asked in, and the project's own, one text file a task."""

from dataclasses import dataclass, replace
from importlib.resources import files

from gliobench.grid.frame import SliceFrame
from gliobench.grid.regions import Region

MOST_TOKENS = 131_072
REGION = "{region}"  # in a prompt: what of the tumour is asked about, in words


@dataclass(frozen=True)
class Prompt:
    """A question in words. `max_new_tokens`: the longest answer a model may write to it.

    `text` may hold `{rows}` and `{columns}`, which stand for the image's size.
    """

    name: str
    version: str
    text: str
    max_new_tokens: int

    def about(self, frame: SliceFrame) -> str:
        """The text as it is asked about a slice: `{rows}` and `{columns}` are the frame's."""
        return self.text.replace("{rows}", str(frame.shape[0])).replace("{columns}", str(frame.shape[1]))

    def of(self, region: Region) -> "Prompt":
        """The prompt with a region's words in the place of `{region}`."""
        return replace(self, text=self.text.replace(REGION, f"the {region.words}"))


def own_prompt(task: str) -> Prompt:
    """The project's own prompt of a task: a text file whose first line gives its version and its longest answer."""
    head, _, text = files("gliobench.tasks").joinpath("prompts", f"{task}.txt").read_text("utf-8").partition("\n")
    _, version, _, max_new_tokens = head.split()
    return Prompt(task, version, text.strip(), int(max_new_tokens))
