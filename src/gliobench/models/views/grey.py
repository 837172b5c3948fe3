"""One slice in one modality: a plain picture, which needs no words."""

from gliobench.models.views.layout import Layout, grey

GREY = Layout(
    version="1",
    modalities=("flair",),
    slices=(1,),
    grid=lambda modalities, slices: ((grey(modalities[0]),),),
    words=lambda modalities, slices, step: "",
)
