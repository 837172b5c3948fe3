"""What a reader has to know where a study asks about one region of the tumour, and who answers for another."""

from collections.abc import Iterator

from gliobench.grid.regions import WHOLE_KEY, regions_of
from gliobench.study.config.study import Study


def answer_for_the_whole(study: Study) -> dict[str, str]:
    """By model that finds the whole tumour, whatever region the study asks about, the mark that says so."""
    if study.asked_region.whole:
        return {}
    finders = {config.name for config in study.models if config.finds_the_whole}
    led = {config.name for config in study.models if config.pointed_by in finders}
    return dict.fromkeys(finders | led, _whole(study))


def region_notes(study: Study) -> Iterator[str]:
    """Sentences on the region of a study; none where it asks about the whole tumour. Raises PromptError."""
    region = study.asked_region
    if region.whole:
        return
    yield (
        f"Every centre, box, polygon and mask is of the {region.title} alone. In a slice or a patient without it the "
        "right answer is that there is none."
    )
    if whole := sorted(answer_for_the_whole(study)):
        find, are = ("find", "are") if len(whole) > 1 else ("finds", "is")
        yield f"{', '.join(whole)}: {find} the {_whole(study)}, and {are} held against the {region.title} all the same."
    for config in study.models:
        yield from config.region_notes(study)


def _whole(study: Study) -> str:
    return regions_of(study.problem)[WHOLE_KEY].title
