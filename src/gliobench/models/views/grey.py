"""One slice of one image: a plain picture, which needs no words."""

from gliobench.models.views.layout import Layout, grey

GREY = Layout(
    version="1",
    modalities=1,
    slices=(1,),
    grid=lambda modalities, slices: ((grey(modalities[0]),),),
    words=lambda problem, modalities, slices, step: "",
)
