"""One slice in four modalities, two by two."""

from gliobench.models.views.layout import MODALITY_WORDS, Grid, Layout, Modalities, grey


def _grid(modalities: Modalities, slices: int) -> Grid:
    one, two, three, four = (grey(modality) for modality in modalities)
    return ((one, two), (three, four))


def _words(modalities: Modalities, slices: int, step: int) -> str:
    one, two, three, four = (MODALITY_WORDS[modality] for modality in modalities)
    return (
        f"The image shows the same slice four times: {one} top left, {two} top right, {three} bottom left, {four} "
        "bottom right. All four show the same places: rows and columns are counted within one of the four pictures, "
        "from its own top left corner."
    )


MOSAIC = Layout(version="1", modalities=("t1", "t1ce", "t2", "flair"), slices=(1,), grid=_grid, words=_words)
