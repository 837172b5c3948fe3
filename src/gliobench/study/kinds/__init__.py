"""Every kind of model there is. A new one is a file here and a line, or another package's entry point."""

from typing import get_args

from gliobench.plugins import Registry
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.kinds.baseline import BaselineConfig
from gliobench.study.kinds.classical import ClassicalConfig
from gliobench.study.kinds.encoder import EncoderConfig
from gliobench.study.kinds.ensemble import EnsembleConfig
from gliobench.study.kinds.network import NetworkConfig
from gliobench.study.kinds.nnunet import NnUNetConfig
from gliobench.study.kinds.openai import ServerConfig
from gliobench.study.kinds.python import PythonConfig
from gliobench.study.kinds.replay import ReplayModelConfig
from gliobench.study.kinds.segmenter import SegmenterConfig
from gliobench.study.kinds.vlm import LanguageModelConfig

__all__ = ["BUILT_IN", "KINDS"]

BUILT_IN: tuple[type[ModelConfig], ...] = (
    BaselineConfig,
    ClassicalConfig,
    NetworkConfig,
    NnUNetConfig,
    EnsembleConfig,
    LanguageModelConfig,
    ServerConfig,
    SegmenterConfig,
    EncoderConfig,
    ReplayModelConfig,
    PythonConfig,
)


def _name(kind: type[ModelConfig]) -> str:
    """The word for a kind of model in a study file."""
    (name,) = get_args(kind.model_fields["kind"].annotation)
    return str(name)


KINDS = Registry[type[ModelConfig]]("kinds", {_name(kind): kind for kind in BUILT_IN})
