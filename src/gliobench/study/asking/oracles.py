"""Where a study uses the truth to make an input, and what stands beside a model's name for it."""

from collections.abc import Iterator

from gliobench.grid.regions import WHOLE_KEY, regions_of
from gliobench.study.config.study import Study


def oracles(study: Study) -> Iterator[str]:
    """Every use of the truth in an input, in words."""
    if study.grid.preset == "tumour":
        problem = study.problem
        what = problem.finding_words if study.asked_region.whole else regions_of(problem)[WHOLE_KEY].title
        yield f"grid: every model sees a volume centred on the true {what}"
    if study.slices.select == "oracle":
        what = study.tumour_word
        yield f"slices: a slice-by-slice model is asked only about slices that hold {what}, found by the truth"
    if study.slices.select == "external":
        yield (
            "slices: a slice-by-slice model is asked only about slices that the recorded answers are about; who asked "
            "for those may have chosen them by the truth, as the reference study did"
        )
    for config in study.models:
        yield from config.oracles(study).values()


def marks(study: Study) -> dict[str, str]:
    """What stands beside a model's name: that it is an oracle, or of what kind it is."""
    marked = {config.name: "oracle" for config in study.models if config.oracles(study)}
    return {config.name: config.mark for config in study.models if config.mark} | marked
