"""What a reader has to know where a study asks about one region of the tumour, and who answers for another."""

from collections.abc import Iterator

from gliobench.grid.regions import WHOLE, Region
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.config import AnyModel, BaselineModel, Study
from gliobench.study.language_parts import LanguageModel, ServerModel
from gliobench.study.vision_parts import SegmenterModel
from gliobench.tasks.chain import CHAIN
from gliobench.tasks.prompt import REGION, read_prompt_file

FLAIR_BLOB = "flair-blob"


def of_tumour(region: Region) -> str:
    """What is asked about, in a sentence on where a model looks."""
    return "tumour" if region == WHOLE else region.title


def answer_for_the_whole(study: Study) -> dict[str, str]:
    """By model that finds the whole tumour, whatever region the study asks about, the mark that says so."""
    if study.asked_region == WHOLE:
        return {}
    blobs = {part.name for part in study.models if isinstance(part, BaselineModel) and part.name == FLAIR_BLOB}
    led = {part.name for part in study.models if isinstance(part, SegmenterModel) and part.source in blobs}
    return dict.fromkeys(blobs | led, WHOLE.title)


def region_notes(study: Study) -> Iterator[str]:
    """Sentences on the region of a study; none where it asks about the whole tumour. Raises PromptError."""
    region = study.asked_region
    if region == WHOLE:
        return
    yield (
        f"Every centre, box, polygon and mask is of the {region.title} alone. In a slice or a patient without it the "
        "right answer is that there is none."
    )
    if whole := sorted(answer_for_the_whole(study)):
        find, are = ("find", "are") if len(whole) > 1 else ("finds", "is")
        yield f"{', '.join(whole)}: {find} the whole tumour, and {are} held against the {region.title} all the same."
    for part in study.models:
        yield from _of_model(study, part)


def _of_model(study: Study, part: AnyModel) -> Iterator[str]:
    title = study.asked_region.title
    if isinstance(part, ReplayModel):
        yield f"{part.name}: held answers stand as they were given; that they are about the {title} nobody can check."
    if isinstance(part, LanguageModel | ServerModel) and part.prompts is not None:
        asked = [task for task in study.tasks if task in part.tasks and task in CHAIN]
        if silent := [task for task in asked if REGION not in read_prompt_file(part.prompts, task).text]:
            yield (
                f"{part.name}: its prompts for {', '.join(silent)} name no region ({REGION} is not in them), and what "
                f"they are answered with is held against the {title}."
            )
