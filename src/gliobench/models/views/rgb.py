"""One slice in three modalities at once, as red, green and blue."""

from gliobench.models.views.layout import MODALITY_WORDS, Grid, Layout, Modalities, Panel


def _grid(modalities: Modalities, slices: int) -> Grid:
    red, green, blue = modalities
    return ((Panel((red, green, blue)),),)


def _words(modalities: Modalities, slices: int, step: int) -> str:
    red, green, blue = (MODALITY_WORDS[modality] for modality in modalities)
    return f"The image is in false colours: red is {red}, green is {green}, blue is {blue}."


# What the three tell best: enhancing tumour, fluid, oedema. T1 without contrast agent adds least to them.
RGB = Layout(version="1", modalities=("t1ce", "t2", "flair"), slices=(1,), grid=_grid, words=_words)
