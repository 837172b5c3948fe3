"""nnU-Net in the stage `train`: once per fold, skipped if its inputs have not changed."""

from pathlib import Path

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import Fold
from gliobench.models.base.errors import ModelError
from gliobench.study.asking.questions import can_be_asked
from gliobench.study.kinds.learning import Learning, learning_by_fold
from gliobench.study.kinds.nnunet import NnUNetConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context
from gliobench.study.state.folder import fingerprint
from gliobench.tasks.mask import MASK

OPERATION = {"kind", "name", "camp", "python"}  # what decides where it runs, not what comes out


def train_nnunet(context: Context, config: NnUNetConfig, number: int, fold: Fold) -> None:
    """Train a fold's nnU-Net. Resumes an interrupted training."""
    from gliobench.models.nnunet.model import Installation
    from gliobench.training.nnunet import NnUNetSettings, fit_nnunet

    learn, validate = _patients(context, fold)
    if not learn or not validate:
        raise ModelError(f"{config.name}: no patient with a mask to train and validate on: remove this model")
    out, stage = context.folder.network(config.name, number), Stage("train", config.name, number)
    inputs = nnunet_inputs(context, config, fold)
    with context.stage(stage, inputs, lambda: nnunet_files(out), costly=True) as to_do:
        if not to_do:
            return
        settings = NnUNetSettings(
            config.planner, config.configuration, config.trainer, config.epochs, config.iterations
        )
        installation = Installation(config.python, context.workers)
        with context.voice.bar(stage.title, config.epochs) as advance:
            fit_nnunet(learn, validate, out, settings, installation, inputs, advance, config.regions)


def nnunet_learning(context: Context, config: NnUNetConfig) -> list[Learning]:
    """The stages in which nnU-Net learns, one per fold."""
    return learning_by_fold(context, config, context.folds.items(), nnunet_inputs, nnunet_files)


def nnunet_files(out: Path) -> list[Path]:
    """What a training leaves: our description and curves, and what nnU-Net answers with."""
    from gliobench.models.nnunet.model import DESCRIPTION

    results = sorted(path for path in (out / "results").rglob("*") if path.suffix in (".json", ".pth"))
    return [out / DESCRIPTION, out / "curves.csv", *results]


def nnunet_inputs(context: Context, config: NnUNetConfig, fold: Fold) -> str:
    """Fingerprint of everything that decides what an nnU-Net learns."""
    learn, validate = _patients(context, fold)
    return fingerprint(
        nnunet=config.model_dump(exclude=OPERATION),
        learn=[subject.content for subject in learn],
        validate=[subject.content for subject in validate],
    )


def _patients(context: Context, fold: Fold) -> tuple[list[PreparedSubject], list[PreparedSubject]]:
    """Training and validation patients that have a mask."""
    learn, validate = (
        [one for one in (context.subjects[id] for id in ids) if can_be_asked(one, MASK.name)]
        for ids in (fold.train, fold.validation)
    )
    return learn, validate
