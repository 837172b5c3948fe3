"""Stage `train`: every 3D network of the study learns from the fold's training patients."""

from collections.abc import Collection

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.networks import NETWORKS
from gliobench.models.trained import DESCRIPTION
from gliobench.study.config import NetworkModel
from gliobench.study.context import Context, StageError
from gliobench.study.folder import fingerprint
from gliobench.study.questions import can_be_asked


def train(context: Context, names: Collection[str] | None = None) -> None:
    """Train the networks of the study, or only those named. Goes on where an interrupted training stopped."""
    networks = [part for part in context.study.models if isinstance(part, NetworkModel)]
    if unknown := sorted(set(names or ()) - {part.name for part in networks}):
        known = ", ".join(part.name for part in networks) or "none"
        raise StageError(f"no network of the study is named {', '.join(unknown)}; it has {known}")
    for part in networks:
        if names is None or part.name in names:
            _train(context, part)


def training_inputs(context: Context, part: NetworkModel) -> str:
    """Fingerprint of everything that decides a network's weights."""
    learn, validate = _patients(context, part)
    return fingerprint(
        network=part.network,
        train=part.train.model_dump(),
        learn=[subject.content for subject in learn],
        validate=[subject.content for subject in validate],
        grades=[subject.grade for subject in (*learn, *validate)],
    )


def _train(context: Context, part: NetworkModel) -> None:
    from gliobench.training.fit import EpochReport, TrainSettings, fit_network

    learn, validate = _patients(context, part)
    if not learn or not validate:
        task = NETWORKS[part.network].task
        raise StageError(f"{part.name}: no patient with a truth for the task {task} to train and validate on")
    out = context.folder.network(part.name)
    with context.stage(
        f"train-{part.name}", training_inputs(context, part), done=(out / DESCRIPTION).exists()
    ) as to_do:
        if not to_do:
            return
        with context.voice.bar(f"train {part.name}", part.train.epochs) as advance:

            def show(report: EpochReport) -> None:
                note = f"loss {report.train_loss:.3f}, validation {report.validation_metric:.3f}"
                advance(report.epoch + 1, note)

            fit_network(part.network, learn, validate, out, TrainSettings(**part.train.model_dump()), show)


def _patients(context: Context, part: NetworkModel) -> tuple[list[PreparedSubject], list[PreparedSubject]]:
    """Training and validation patients that have a truth for the network's task."""
    if part.network not in NETWORKS:
        raise StageError(f"{part.name}: no network is named {part.network!r}; there are {', '.join(NETWORKS)}")
    task = NETWORKS[part.network].task
    learn, validate = (
        [subject for subject in (context.subjects[id] for id in ids) if can_be_asked(subject, task)]
        for ids in (context.fold.train, context.fold.validation)
    )
    return learn, validate
