"""Every kind of model there is. A new one is a file here and a line, or another package's entry point."""

from gliobench.plugins import plugins
from gliobench.study.kinds.base import ModelPart
from gliobench.study.kinds.baseline import BaselineModel
from gliobench.study.kinds.classical import ClassicalModel
from gliobench.study.kinds.encoder import EncoderModel
from gliobench.study.kinds.ensemble import TogetherModel
from gliobench.study.kinds.network import NetworkModel
from gliobench.study.kinds.nnunet import NnUNetModel
from gliobench.study.kinds.openai import ServerModel
from gliobench.study.kinds.python import PythonModel
from gliobench.study.kinds.replay import ReplayModel
from gliobench.study.kinds.segmenter import SegmenterModel
from gliobench.study.kinds.vlm import LanguageModel

__all__ = ["BUILT_IN", "KINDS"]

BUILT_IN: tuple[type[ModelPart], ...] = (
    BaselineModel,
    ClassicalModel,
    NetworkModel,
    NnUNetModel,
    TogetherModel,
    LanguageModel,
    ServerModel,
    SegmenterModel,
    EncoderModel,
    ReplayModel,
    PythonModel,
)
KINDS: tuple[type[ModelPart], ...] = (*BUILT_IN, *plugins("kinds").values())
