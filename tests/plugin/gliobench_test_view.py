"""A view of another package."""

from gliobench.models.views.layout import MODALITY_WORDS, Layout, grey


def side_by_side(modalities, slices):
    return (tuple(grey(modality) for modality in modalities),)


def words(modalities, slices, step):
    left, right = (MODALITY_WORDS[modality] for modality in modalities)
    return f"The same slice twice: {left} on the left, {right} on the right. Rows and columns are those of one picture."


PAIR = Layout(version="1", modalities=("t1", "t1ce"), slices=(1,), grid=side_by_side, words=words)
