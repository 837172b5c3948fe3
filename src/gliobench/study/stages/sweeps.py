"""Every setting of a sweep beside the one that was chosen: on test patients where the study says so, and in a table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliobench.grid.splits import Fold
from gliobench.integrity import DamagedError, read_json, write_json
from gliobench.models.base.prediction import Question
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.description import DESCRIPTION, read_description
from gliobench.study.asking.questions import can_be_asked
from gliobench.study.asking.region_of_interest import shown
from gliobench.study.kinds.network import NetworkConfig, train_settings
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.in_sample import FIGURES, METRICS, Figures, figures_of
from gliobench.study.stages.score import arithmetic_digest
from gliobench.study.stages.train import SWEEP, training_inputs
from gliobench.study.state.context import Context, StageError, read_stage
from gliobench.study.state.folder import fingerprint

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.report.contents import PartFigure, Setting, Settings

TESTED = "tested.json"
FIRST = ("learning_rate", "epochs")  # columns of every table, whether they differ or not
IN_SAMPLE = "Training figures are in-sample: they say how closely a setting fits its training patients. "
ON_VALIDATION = "The setting marked was chosen by its metric on the validation patients, which stands beside its name. "
CHOSEN_TESTED = "It alone was asked about the test patients."
ALL_TESTED = (
    "All settings tested: choosing among these by the test column is the flaw of the reference study, whose baseline "
    "was picked by its test figures too. The best of many test figures is better than its setting is; what the chosen "
    "one is worth, its own test figures say."
)


def swept(context: Context) -> Iterator[tuple[NetworkConfig, int, Fold]]:
    """The networks of the study that are trained in several settings, fold by fold."""
    for config, (number, fold) in product(context.study.models, context.folds.items()):
        if config.swept is not None:
            yield config.swept, number, fold


def test_settings(context: Context, config: NetworkConfig) -> None:
    """Ask every setting of a sweep about the test patients, where the study says so; the figures are left beside each.

    Raises StageError where the weights of one that was trained are gone.
    """
    for one, number, fold in swept(context):
        if one is not config or config.sweep_test != "all":
            continue
        trained = read_stage(context.folder.network(config.name, number) / SWEEP, "train", "validation_metrics")
        for place, metric in enumerate(trained["validation_metrics"]):
            if metric is not None:  # else it diverged
                _test(context, config, number, fold, place)


def _test(context: Context, config: NetworkConfig, number: int, fold: Fold, place: int) -> None:
    from gliobench.models.networks.trained import load_network

    folder, inputs = context.folder.choice(config.name, number, place), tested_inputs(context, config, fold, place)
    stage = Stage("test", config.name, number, place)
    with context.stage(stage, inputs, lambda: [folder / TESTED]) as to_do:
        if not to_do:
            return
        if not (folder / DESCRIPTION).exists():
            raise StageError(
                f"{folder} holds no trained network, and `sweep_test: all` asks it: put it back from a copy, or delete "
                f"{context.folder.stamp(Stage('train', config.name, number))} and run `gliobench train`"
            )
        task, subjects = NETWORKS[config.network].task, shown(context, config)
        asked = [Question(subjects[id], task, None) for id in fold.test if can_be_asked(subjects[id], task)]
        if not asked:
            raise StageError(f"{config.name}: no test patient has a truth for the task {task}")
        answers = load_network([folder], f"{config.name}, setting {place}").predict(asked)
        write_json(folder / TESTED, {"inputs": inputs, "figures": figures_of(task, answers)})


def tested_inputs(context: Context, config: NetworkConfig, fold: Fold, place: int) -> str:
    """Fingerprint of everything that decides a setting's test figures."""
    return fingerprint(
        trained=training_inputs(context, config, fold),
        place=place,
        test=[context.subjects[id].content for id in fold.test],
        grades=[context.subjects[id].grade for id in fold.test],
        patients=[context.patients[id] for id in fold.test],
        arithmetic=arithmetic_digest(),
    )


def sweep_settings(context: Context, summary: "pd.DataFrame") -> Iterator["Settings"]:
    """Every sweep with all its settings. `summary`: of the scores, for the test figures of those that were chosen."""
    from gliobench.report.contents import Settings
    from gliobench.report.settings import scored_figures

    for config, number, fold in swept(context):
        path = context.folder.network(config.name, number) / SWEEP
        if not path.is_file():
            continue
        left = read_stage(path, "train", "chosen", "validation_metrics", "choices")
        alone = len(context.folds) == 1
        task = NETWORKS[config.network].task
        test = scored_figures(summary, config.name, task, "volume", METRICS[task]) if alone else {}
        tried = [
            _tried(context, config, number, fold, place, left, test if place == left["chosen"] else {})
            for place in range(len(left["choices"]))
        ]
        tail = ALL_TESTED if config.sweep_test == "all" else CHOSEN_TESTED
        title = f"Every setting of {config.name}" + ("" if alone else f", fold {number}")
        yield Settings(title, IN_SAMPLE + ON_VALIDATION + tail, tried)


def _tried(
    context: Context,
    config: NetworkConfig,
    number: int,
    fold: Fold,
    place: int,
    left: Mapping[str, Any],
    test: Mapping[str, "PartFigure"],
) -> "Setting":
    from gliobench.report.contents import Setting

    folder, metric = context.folder.choice(config.name, number, place), left["validation_metrics"][place]
    keys = differing(left["choices"])
    settings = {key: left["choices"][place][key] for key in keys}
    chosen = place == left["chosen"]
    if metric is None:
        return Setting(str(place), settings, {}, chosen, "diverged")
    figures = {
        name: {metric: _figure(one) for metric, one in found.items()}
        for name, found in known_figures(folder, left["choices"][place]).items()
    }
    if config.sweep_test == "all":
        figures["test"] = {key: _figure(one) for key, one in _tested(context, config, fold, place, folder).items()}
    elif test:
        figures["test"] = dict(test)
    return Setting(str(place), settings, figures, chosen, f"validation metric {metric:.4g}")


def known_figures(folder: Path, settings: Mapping[str, Any]) -> Mapping[str, Figures]:
    """What a setting is worth on training and validation patients; nothing where its folder is gone, or holds another
    setting's training."""
    if not (folder / DESCRIPTION).is_file() or not (folder / FIGURES).is_file():
        return {}
    if read_description(folder)["settings"] != settings:
        return {}
    try:
        found: Mapping[str, Figures] = read_json(folder / FIGURES, "figures")["figures"]
    except DamagedError as error:
        raise StageError(f"{error}: delete it, and the report goes without it") from error
    return found


def _tested(context: Context, config: NetworkConfig, fold: Fold, place: int, folder: Path) -> Figures:
    left = read_stage(folder / TESTED, "predict", "inputs", "figures")
    if left["inputs"] != tested_inputs(context, config, fold, place):
        raise StageError(f"{folder / TESTED} is of other patients or settings: run `gliobench predict` first")
    found: Figures = left["figures"]
    return found


def _figure(found: Mapping[str, float | int | None]) -> "PartFigure":
    from gliobench.report.contents import PartFigure

    value, low, high = (math.nan if found.get(key) is None else found[key] for key in ("value", "low", "high"))
    return PartFigure(value, int(found["n"] or 0), low, high)  # type: ignore[arg-type]


def differing(choices: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that say how the choices differ: learning rate and epochs first, in any case."""
    others = [key for key in choices[0] if any(one[key] != choices[0][key] for one in choices)]
    return [*FIRST, *(key for key in others if key not in FIRST)]


def sweep_curves(context: Context) -> Iterator[tuple[str, Path, Stage]]:
    """(name, curves, stage that left them) of every setting of every sweep."""
    from gliobench.report.settings import setting_text

    for config, number, _ in swept(context):
        choices = [asdict(one) for one in train_settings(config)]
        for place, one in enumerate(choices):
            path = context.folder.choice(config.name, number, place) / "curves.csv"
            if path.is_file():
                said = ", ".join(f"{key.replace('_', ' ')} {setting_text(one[key])}" for key in FIRST)
                yield f"{config.name}, fold {number}, {said}", path, Stage("train", config.name, number, place)
