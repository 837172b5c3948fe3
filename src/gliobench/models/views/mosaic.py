"""One slice of four images, two by two."""

from gliobench.cohort.problem import Problem
from gliobench.models.views.layout import Grid, Layout, Modalities, grey


def _grid(modalities: Modalities, slices: int) -> Grid:
    one, two, three, four = (grey(modality) for modality in modalities)
    return ((one, two), (three, four))


def _words(problem: Problem, modalities: Modalities, slices: int, step: int) -> str:
    one, two, three, four = map(problem.image_words, modalities)
    return (
        f"The image shows the same slice four times: {one} top left, {two} top right, {three} bottom left, {four} "
        "bottom right. All four show the same places: rows and columns are counted within one of the four pictures, "
        "from its own top left corner."
    )


MOSAIC = Layout(version="1", modalities=4, slices=(1,), grid=_grid, words=_words)
