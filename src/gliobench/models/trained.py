"""A trained network that answers about whole patients."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from safetensors.torch import load_file
from torch import nn

from gliobench.cohort.subject import HGG, LGG
from gliobench.models.networks import NETWORKS, as_input
from gliobench.models.prediction import Prediction, Question, Settings
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Grade, Value, VolumeMask

WEIGHTS, DESCRIPTION = "network.safetensors", "network.json"


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network with its weights. `threshold`: at and above this probability it is HGG, or tumour."""

    name: str
    task: str
    threshold: float
    settings: Settings
    module: nn.Module
    per_slice = False

    @property
    def tasks(self) -> frozenset[str]:
        """The one task it was trained for."""
        return frozenset({self.task})

    @torch.inference_mode()
    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction a patient, in the order asked."""
        device = next(self.module.parameters()).device
        for question in questions:
            start = perf_counter()
            probability = torch.sigmoid(self.module(as_input(question.subject.image)[None].to(device)))[0]
            value: Value
            if self.task == "grade":
                value = Grade(HGG if probability.item() >= self.threshold else LGG)
            else:
                value = VolumeMask((probability >= self.threshold).cpu().numpy())
            score = probability.item() if self.task == "grade" else None
            yield Prediction(question, Answered(value), score=score, seconds=perf_counter() - start)


def load_network(folder: Path, device: str = "auto") -> TrainedNetwork:
    """The network that `gliobench.training.fit.fit_network` left in a folder."""
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    network = NETWORKS[description["network"]]
    module = network.build(tuple(description["shape"]))
    module.load_state_dict(load_file(folder / WEIGHTS))
    with (folder / WEIGHTS).open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return TrainedNetwork(
        name=folder.name,
        task=network.task,
        threshold=description["threshold"],
        settings={"network": description["network"], "weights": weights, "threshold": description["threshold"]},
        module=module.to(where).eval(),
    )
