"""A trained network, or an ensemble of several of one kind, that answers about whole patients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import REGION_SETS
from gliobench.integrity import file_digest
from gliobench.models.base.classified import classified
from gliobench.models.base.errors import ModelError
from gliobench.models.base.leakage import refuse_training_patients
from gliobench.models.base.operating_point import ClassProbability, Floats, OperatingPoint, calibrated
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.networks import NETWORKS, Intensities
from gliobench.models.networks.description import DIGEST, WEIGHTS, read_description
from gliobench.models.networks.fast import fast
from gliobench.models.networks.inference import decide, nested, probabilities
from gliobench.models.networks.input import as_input
from gliobench.models.networks.weights import restore
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.grade import GRADE


@dataclass(frozen=True, eq=False)
class Member:
    """One network with its weights, and how it answers. `decisions`: one for each region of a mask, or one for a class.

    `trained_on`: the ids of its training and validation patients.
    """

    module: nn.Module
    intensities: Intensities
    mirror: bool
    window: tuple[int, int, int] | None
    decisions: tuple[OperatingPoint, ...]
    trained_on: frozenset[str]
    weights: str


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """An ensemble of networks of one kind: the mean of their probabilities, thresholds and smallest components."""

    name: str
    task: str
    members: tuple[Member, ...]
    settings: Settings
    per_slice = False

    @property
    def tasks(self) -> frozenset[str]:
        """The one task they were trained for."""
        return frozenset({self.task})

    @property
    def threshold(self) -> float:
        """For two classes: the positive one at and above this probability."""
        return float(np.mean([one.decisions[0].threshold for one in self.members]))

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked. Raises ModelError for a patient it was trained on."""
        refuse_training_patients(self.name, frozenset().union(*(one.trained_on for one in self.members)), questions)
        yield from self.predict_in_sample(questions)

    def predict_in_sample(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """The same, training patients included: for results that are labelled in-sample everywhere."""
        for question in questions:
            start = perf_counter()
            answer = self._class(question) if self.task == GRADE.name else self._mask(question)
            yield replace(answer, seconds=perf_counter() - start)

    def _class(self, question: Question) -> Prediction:
        given = [calibrated(_probability(one, question.subject), one.decisions[0]) for one in self.members]
        mean: Floats = np.mean(np.array(given), axis=0)
        return classified(question, mean if mean.ndim else float(mean), self.threshold)

    def _mask(self, question: Question) -> Prediction:
        subject = question.subject
        given = [_probabilities(one, subject, one.window) for one in self.members]
        mean = torch.stack(given).mean(dim=0).cpu().numpy()
        voxel_mm3 = float(np.prod(subject.spacing_mm))
        masks = [
            decide(region, _together([one.decisions[place] for one in self.members]), voxel_mm3)
            for place, region in enumerate(mean)
        ]
        return Prediction(question, Answered(VolumeMask(*nested(masks))))


def _probability(member: Member, subject: PreparedSubject) -> ClassProbability:
    """The uncalibrated probabilities of a patient's class."""
    found = _probabilities(member, subject, window=None).cpu().double().numpy()
    return float(found[0]) if len(found) == 1 else found


def _probabilities(member: Member, subject: PreparedSubject, window: tuple[int, int, int] | None) -> Tensor:
    image = as_input(subject.image, member.intensities)
    return probabilities(member.module, image, mirror=member.mirror, window=window)


def _together(decisions: Sequence[OperatingPoint]) -> OperatingPoint:
    return OperatingPoint(
        float(np.mean([one.threshold for one in decisions])), float(np.median([one.smallest_mm3 for one in decisions]))
    )


def load_network(folders: Sequence[Path], name: str, device: str = "auto") -> TrainedNetwork:
    """The networks that `gliobench.training.fit.fit_network` left in `folders`, as an ensemble called `name`.

    Raises ModelError where a folder holds no finished network, or where they are of several kinds.
    """
    found = [(folder, read_description(folder)) for folder in folders]
    kinds = sorted({f"{one['network']} for {one['regions']}" for _, one in found})
    if len(kinds) != 1:
        raise ModelError(f"{name}: only networks of one kind can be ensembled, found {', '.join(kinds) or 'none'}")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    members = tuple(_load_member(folder, description, where) for folder, description in found)
    settings: dict[str, str | int | float | bool | None] = {"network": kinds[0]}
    settings |= {f"weights {place}": member.weights for place, member in enumerate(members)}
    settings |= {f"decisions {place}": _in_key(member.decisions) for place, member in enumerate(members)}
    return TrainedNetwork(name, NETWORKS[found[0][1]["network"]].task, members, settings)


def _in_key(decisions: Sequence[OperatingPoint]) -> str:
    """Operating points in a record's key, as earlier versions wrote them: the answers of their runs stay valid."""
    texts = [f"Decision({', '.join(f'{key}={value!r}' for key, value in vars(one).items())})" for one in decisions]
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def _load_member(folder: Path, description: dict[str, Any], device: str) -> Member:
    regions = REGION_SETS[description["regions"]]
    network = NETWORKS[description["network"]]
    channels = len(description.get("images", GLIOMA.names))  # earlier versions had no other
    classes = len(description.get("classes", GLIOMA.classes))
    module = network.build(tuple(description["shape"]), channels, network.outputs(classes, len(regions)))
    weights = file_digest(folder / WEIGHTS)
    if weights != description.get(DIGEST, weights):  # earlier versions kept none
        raise ModelError(
            f"{folder / WEIGHTS} is damaged (its checksum does not match): restore it from a copy, or train it again"
        )
    restore(module, load_file(folder / WEIGHTS))
    return Member(
        module=fast(module).to(device).eval(),
        intensities=description.get("intensities", "z-score"),  # earlier versions had no other
        mirror=description["mirror"],
        window=tuple(description["window"]) if description["window"] else None,
        decisions=tuple(OperatingPoint(**one) for one in description["decisions"]),
        trained_on=frozenset(description["trained_on"]),
        weights=weights,
    )
