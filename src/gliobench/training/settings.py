"""How a network learns, and what it says after each epoch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainSettings:
    """`epochs` at most; stops after `patience` epochs without a better validation metric.

    `learning_rate` of Adam; `batch_size` in patients; `oversample`: patients of the rarer grade are drawn again until
    both are equally many, in training only; `device` "auto" takes a GPU where there is one.
    """

    epochs: int = 40
    learning_rate: float = 1e-3
    batch_size: int = 1
    patience: int = 10
    oversample: bool = True
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch, counted from 0. `validation_metric`: larger is better."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    validation_metric: float
    seconds: float
