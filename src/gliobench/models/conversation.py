"""The turns of a conversation about a slice, as chat templates take them: asking and fine-tuning use the same."""

from typing import Any

from PIL import Image

from gliobench.grid.slices import grey_slice
from gliobench.models.asking import asked_frame
from gliobench.models.prediction import Question
from gliobench.tasks.geometry import Value
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.registry import TASKS

Turn = dict[str, Any]
NOTHING = "none"  # what every prompt but the grade's asks for where there is no tumour


def question_turn(question: Question, prompt: Prompt, modality: str) -> Turn:
    """What a person says: the slice, then the prompt about it; a model such as Mllama sees no image from text before
    it. Raises ModelError for a question about the whole volume."""
    frame = asked_frame(question)
    image = Image.fromarray(grey_slice(question.subject, modality, frame.plane, frame.index)).convert("RGB")
    return {
        "role": "user",
        "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt.about(frame)}],
    }


def answer_turn(question: Question, value: Value | None) -> Turn:
    """What the model should say; `value` in the slice's own pixels, None where there is no tumour."""
    text = NOTHING if value is None else TASKS[question.task].write(value)
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}
