"""What a reader has to know where a study asks about one region of the tumour, and who answers for another."""

from collections.abc import Iterator, Sequence

from gliobench.grid.regions import WHOLE_KEY, regions_of
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.tasks.chain import coarser
from gliobench.tasks.registry import TASKS, of_same_region, plain


def answer_for_the_whole(study: Study) -> dict[str, str]:
    """By model that finds the whole tumour, whatever region the study asks about, the mark that says so."""
    if study.asked_region.whole:
        return {}
    finders = {config.name for config in study.models if config.finds_the_whole}
    led = {config.name for config in study.models if config.pointed_by in finders}
    return dict.fromkeys(finders | led, _whole(study))


def region_notes(study: Study) -> Iterator[str]:
    """Sentences on the regions of a study; none where all of it is about the whole tumour. Raises PromptError."""
    region = study.asked_region
    if region.whole and not study.regional:
        return
    if not region.whole:
        yield (
            f"Every centre, box, polygon and mask is of the {region.title} alone. In a slice or a patient without it "
            "the right answer is that there is none."
        )
    if whole := sorted(answer_for_the_whole(study)):
        find, are = ("find", "are") if len(whole) > 1 else ("finds", "is")
        named = ", ".join(whole)
        yield f"{named}: {find} the {_whole(study)}, and {are} scored against the {region.title} all the same."
    if study.regional:
        yield (
            f"{', '.join(study.regional)}: asked of the same patients and slices as the other tasks. In a slice or a "
            "patient without the region the right answer is that there is none."
        )
    yield from unasked(study)
    for config in study.models:
        yield from config.region_notes(study)


def unasked(study: Study) -> Iterator[str]:
    """A sentence on the models that answer tasks of which the study asks for regions too, and do not tell these
    apart."""
    by_tasks: dict[tuple[str, ...], list[str]] = {}
    for config in study.models:
        if silent := tuple(_not_told(config, list(study.regional))):
            by_tasks.setdefault(silent, []).append(config.name)
    for tasks, names in by_tasks.items():
        do, are = ("do", "are") if len(names) > 1 else ("does", "is")
        yield f"{', '.join(names)}: {do} not tell regions apart, and {are} not asked for {', '.join(tasks)}."


def _not_told(config: ModelConfig, regional: Sequence[str]) -> Iterator[str]:
    """The tasks of one region that a model, which answers like tasks of the whole, gives no answer to."""
    if config.scope is None or config.spoken_tasks:  # these are asked what their entries say
        return
    able = config.scope.tasks
    for task in regional:
        finer = [one for one in able if one in TASKS and plain(task) in coarser(one)]
        told = task in able or any(config.tells_region_of(of_same_region(one, task)) for one in finer)
        if finer and not told:
            yield task


def _whole(study: Study) -> str:
    return regions_of(study.problem)[WHOLE_KEY].title
