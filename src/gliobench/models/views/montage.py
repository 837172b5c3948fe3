"""The slice among its neighbours, in one image; the slice asked about always in the middle."""

from gliobench.cohort.problem import Problem
from gliobench.models.views.layout import Grid, Layout, Modalities, grey

ROWS = {9: 3, 3: 1}


def _grid(modalities: Modalities, slices: int) -> Grid:
    columns = slices // ROWS[slices]
    panels = [grey(modalities[0], away - slices // 2) for away in range(slices)]
    return tuple(tuple(panels[start : start + columns]) for start in range(0, slices, columns))


def _words(problem: Problem, modalities: Modalities, slices: int, step: int) -> str:
    arranged = f"in {ROWS[slices]} rows of {slices // ROWS[slices]}" if ROWS[slices] > 1 else "in a row"
    body = "brain" if problem.body == "brain" else "patient"
    apart = "no slice left out" if step == 1 else f"each {step} slices from the last"
    return (
        f"The image shows {slices} slices of the same {body} {arranged}, one behind the other ({apart}); where the "
        f"{body}'s slices end a picture is black. The question is about the slice in the middle of the image; the "
        "others are there to compare. Rows and columns are counted within the middle picture alone, from its own "
        "top left corner."
    )


MONTAGE = Layout(version="1", modalities=1, slices=(9, 3), grid=_grid, words=_words)
