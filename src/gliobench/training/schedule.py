"""The learning rate at any step, from the step's number alone: resuming a training needs no scheduler state."""

import math

from gliobench.training.settings import TrainSettings


def learning_rate(settings: TrainSettings, step: int, steps_an_epoch: int) -> float:
    """The rate of step `step` (from 0): linear up over the warm-up, then down the settings' schedule."""
    warmup = settings.warmup_epochs * steps_an_epoch
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    left = 1 - (step - warmup) / max(settings.epochs * steps_an_epoch - warmup, 1)
    share = {"constant": 1.0, "cosine": (1 - math.cos(math.pi * left)) / 2, "poly": math.pow(left, 0.9)}
    return settings.learning_rate * share[settings.schedule]
