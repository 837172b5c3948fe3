"""What a model of a study takes, one line a kind."""

from collections.abc import Callable, Mapping
from typing import Any

from gliobench.study.config import AnyModel
from gliobench.study.plan.amounts import ModelPlan
from gliobench.study.plan.ground import Ground
from gliobench.study.plan.kinds.encoder import plan_encoder
from gliobench.study.plan.kinds.language import plan_language, plan_server
from gliobench.study.plan.kinds.network import plan_network
from gliobench.study.plan.kinds.nnunet import plan_nnunet
from gliobench.study.plan.kinds.replay import plan_replay
from gliobench.study.plan.kinds.segmenter import plan_segmenter
from gliobench.study.plan.kinds.together import plan_together
from gliobench.study.plan.kinds.trivial import plan_trivial


def plan_model(ground: Ground, part: AnyModel) -> ModelPlan:
    """What a model of the study adds to its plan."""
    return PLANNERS[part.kind](ground, part)


PLANNERS: Mapping[str, Callable[[Ground, Any], ModelPlan]] = {
    "baseline": plan_trivial,
    "classical": plan_trivial,
    "network": plan_network,
    "nnunet": plan_nnunet,
    "together": lambda ground, part: plan_together(ground, part, plan_model),
    "vlm": plan_language,
    "openai": plan_server,
    "segmenter": plan_segmenter,
    "encoder": plan_encoder,
    "replay": plan_replay,
}
