"""What a model sees of each patient: the whole volume, or a crop around the tumour that another model found.

No patient's mask comes from a model that was trained on it: the masks are the answers to the study's own questions,
which are only asked about test patients. So in cross-validation training patients have out-of-fold masks, and in
holdout they have none: that is an error.
"""

from collections.abc import Mapping

from gliobench.grid.crop import crop_around, with_mask
from gliobench.grid.prepared import PreparedSubject
from gliobench.study.asking.masks import predicted_masks
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context, Round, StageError


def shown(context: Context, config: ModelConfig) -> Mapping[str, PreparedSubject]:
    """The patients of the study's rounds by id, as `part` sees them: whole, with the mask of `masks_by`, or cropped
    around it, or around the true tumour where nobody's masks are looked at.

    Raises StageError where the mask of one is missing.
    """
    by, crop = config.masks_by, config.crop_voxels
    if by is None and crop is None:
        return context.subjects
    subjects = {
        id: context.subjects[id] for round in context.rounds for id in (*round.learn, *round.validation, *round.test)
    }
    if by is None:
        masks = {id: subject.tumour for id, subject in subjects.items() if subject.labels is not None}
    else:
        masks = {id: mask.voxels for id, mask in predicted_masks(context, by).items()}
    if bare := sorted(subjects.keys() - masks.keys()):
        raise StageError(_without_mask(config.name, by, bare))
    if crop is not None:
        return {id: crop_around(subject, masks[id], crop) for id, subject in subjects.items()}
    return {id: with_mask(subject, masks[id]) for id, subject in subjects.items()}


def _without_mask(name: str, by: str | None, bare: list[str]) -> str:
    who = f"{len(bare)} patients ({', '.join(bare[:5])}{', …' if len(bare) > 5 else ''})"
    if by is None:
        return f"{name}: {who} have no mask to crop around: use `around: predicted`, or leave them out"
    return (
        f"{name}: {by} gave no mask of {who} that it was not trained on. With `tasks: [mask, …]` and "
        "`split: {scheme: cross-validation}`, all folds, every patient is given one"
    )


def learners(
    subjects: Mapping[str, PreparedSubject], round: Round
) -> tuple[list[PreparedSubject], list[PreparedSubject]]:
    """The training and the validation patients of a round."""
    train = [subjects[id] for id in round.learn if id not in round.validation]
    return train, [subjects[id] for id in round.validation]
