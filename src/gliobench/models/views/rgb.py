"""One slice of three images at once, as red, green and blue."""

from gliobench.cohort.problem import Problem
from gliobench.models.views.layout import Grid, Layout, Modalities, Panel


def _grid(modalities: Modalities, slices: int) -> Grid:
    red, green, blue = modalities
    return ((Panel((red, green, blue)),),)


def _words(problem: Problem, modalities: Modalities, slices: int, step: int) -> str:
    red, green, blue = map(problem.image_words, modalities)
    return f"The image is in false colours: red is {red}, green is {green}, blue is {blue}."


RGB = Layout(version="1", modalities=3, slices=(1,), grid=_grid, words=_words)
