"""Write the masks that models gave as NIfTI files in the patients' own space."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.native import to_native, write_native
from gliobench.grid.prepared import PreparedSubject
from gliobench.records.record import record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import current_answers
from gliobench.study.state.context import Context
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK

WHOLE, OEDEMA, CORE, ENHANCING = 1, 2, 1, 4  # BraTS's labels where regions are told apart, else 1 for all tumour


def export_masks(context: Context, out: Path, names: Collection[str] | None = None) -> list[Path]:
    """Write `<out>/<model>/<subject>.nii.gz` for every mask of a whole patient; returns the paths."""
    arrays = Arrays(context.folder.masks)
    written = []
    for config in context.study.models:
        if names is not None and config.name not in names:
            continue
        for record in current_answers(context, config.name):
            if record.task != MASK.name or record.plane is not None or record.repeat:
                continue
            subject = context.subjects[record.subject]
            answer = record_answer(record, subject, arrays)
            if isinstance(answer, Answered) and isinstance(answer.value, VolumeMask):
                path = out / config.name / f"{subject.id}.nii.gz"
                write_native(native_labels(answer.value, subject), subject, path)
                written.append(path)
    return written


def native_labels(mask: VolumeMask, subject: PreparedSubject) -> NDArray[np.uint8]:
    """A mask on the voxels of the patient's files, (x, y, z) uint8: 1 where there is tumour.

    With regions: 2 oedema, 1 core that does not enhance, 4 enhancing tumour, as BraTS 2018 to 2021 has them.
    """
    labels = np.zeros(subject.native_shape, np.uint8)
    labels[to_native(mask.voxels, subject)] = WHOLE if mask.core is None else OEDEMA
    for region, label in ((mask.core, CORE), (mask.enhancing, ENHANCING)):
        if region is not None:
            labels[to_native(region, subject)] = label
    return labels
