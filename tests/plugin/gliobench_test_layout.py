"""A data layout of another package."""

from gliobench.cohort.layouts.layout import Layout, patient_folders, sort_out, subject_of, volumes_in
from gliobench.cohort.subject import MODALITIES


def recognises(root):
    return root.is_dir() and any(root.glob("*/tumour.nii*"))


def find(root):
    folders, notes = patient_folders(root)
    return sort_out(map(patient, folders), notes)


def patient(folder):
    files = {name: paths[0] for name, paths in volumes_in(folder).items()}
    images = {modality: files.get(modality) for modality in MODALITIES}
    return subject_of(folder.name, None, images, files.get("tumour"), folder, {})


CLINIC = Layout("clinic", "folders <id>/ with flair.nii.gz … tumour.nii.gz", frozenset({1, 2, 4}), recognises, find)
