"""nnU-Net without nnU-Net: what is written for it, what is read back, and what is refused."""

import json
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import REGIONS
from gliobench.integrity import file_digest
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.nnunet.model import (
    Installation,
    NnUNet,
    as_nnunet_decides,
    examine_installation,
    load_nnunet,
    read_probabilities,
    run_worker,
)
from gliobench.models.nnunet.worker import FINAL
from gliobench.training.nnunet import depth_labels, write_dataset

SHAPE = (4, 5, 6)
# Depth runs to the feet, height to the back, width to the left: 2, 3 and 1.5 mm.
AFFINE = np.array([[0, 0, -1.5, 90], [0, -3, 0, 80], [-2, 0, 0, 70], [0, 0, 0, 1]], dtype=np.float64)


def patient(id: str) -> PreparedSubject:
    """Every voxel its own value; oedema (2), core (1) and enhancing tumour (4) side by side."""
    image = np.arange(4 * np.prod(SHAPE), dtype=np.uint16).reshape(4, *SHAPE).astype(np.uint8)
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2, 1:5] = (2, 1, 4, 2)
    return PreparedSubject(id, 1, image, labels, AFFINE, AFFINE, (6, 5, 4), False, id)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nnunet") / "fold-0"
    write_dataset([patient("A"), patient("B")], [patient("C")], out, REGIONS)
    return out


def test_the_data_set_is_laid_out_as_nnunet_wants_it(written: Path) -> None:
    raw = written / "raw" / "Dataset001_gliobench"
    names = {path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file()}
    images = {f"imagesTr/{id}_{channel}.nii.gz" for id in "ABC" for channel in ("0000", "0001", "0002", "0003")}
    assert names == {"dataset.json", *images, *(f"labelsTr/{id}.nii.gz" for id in "ABC")}
    assert json.loads((raw / "dataset.json").read_text()) == {
        "channel_names": {"0": "flair", "1": "t1", "2": "t1ce", "3": "t2"},
        "labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3},
        "regions_class_order": [1, 2, 3],
        "numTraining": 3,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "NibabelIO",
    }


def test_our_validation_patients_are_its_validation_patients(written: Path) -> None:
    split = written / "preprocessed" / "Dataset001_gliobench" / "splits_final.json"
    assert json.loads(split.read_text()) == [{"train": ["A", "B"], "val": ["C"]}]


def test_voxels_lie_where_they_lie_in_the_patient(written: Path) -> None:
    folder, subject = written / "raw" / "Dataset001_gliobench", patient("A")
    image = nib.load(folder / "imagesTr" / "A_0002.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), subject.image[2])
    assert np.allclose(image.affine, AFFINE)
    labels = nib.load(folder / "labelsTr" / "A.nii.gz")
    assert np.asarray(labels.dataobj)[1, 2].tolist() == [0, 1, 2, 3, 1, 0]
    # The enhancing voxel (1, 2, 3): 90 - 1.5 * 3, 80 - 3 * 2, 70 - 2 * 1 millimetres.
    (place,) = np.argwhere(np.asarray(labels.dataobj) == 3)
    assert nib.affines.apply_affine(labels.affine, place) == pytest.approx((85.5, 74, 68))


def test_a_whole_tumour_alone_is_one_label() -> None:
    assert depth_labels(patient("A"), ("whole",))[1, 2].tolist() == [0, 1, 1, 1, 1, 0]


def left_by_nnunet(folder: Path, probabilities: NDArray[np.float32], affine: NDArray[np.float64] = AFFINE) -> None:
    """What `predict_from_files` leaves of patient A: probabilities with the axes backward, and a mask."""
    np.savez_compressed(folder / "A.npz", probabilities=probabilities.transpose(0, 3, 2, 1))
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.uint8), affine), folder / "A.nii.gz")


def test_probabilities_come_back_on_the_grid(tmp_path: Path) -> None:
    tumour = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    left_by_nnunet(tmp_path, np.stack([1 - tumour, tumour]))
    assert np.array_equal(read_probabilities(tmp_path, patient("A")), tumour[None])
    regions = np.random.default_rng(1).random((3, *SHAPE), dtype=np.float32)
    left_by_nnunet(tmp_path, regions)
    assert np.array_equal(read_probabilities(tmp_path, patient("A")), regions)


def test_inner_regions_are_part_of_the_outer_ones() -> None:
    voxels = np.array([[0.9, 0.9, 0.9, 0.1, 0.5], [0.1, 0.9, 0.1, 0.9, 0.5], [0.1, 0.9, 0.9, 0.1, 0.5]], np.float32)
    whole, core, enhancing = as_nnunet_decides(voxels.reshape(3, 5, 1, 1))[..., 0, 0].astype(int).tolist()
    # nnU-Net paints 1 where whole, then 2 where core, then 3 where enhancing: labels 1, 3, 3, 2, 0.
    assert whole == [1, 1, 1, 1, 0]
    assert core == [0, 1, 1, 1, 0]
    assert enhancing == [0, 1, 1, 0, 0]


def test_an_answer_that_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] += 1.5
    left_by_nnunet(tmp_path, np.zeros((2, *SHAPE), np.float32), moved)
    with pytest.raises(ModelError, match=r"A: .*shape"):
        read_probabilities(tmp_path, patient("A"))


def test_only_the_checkpoint_that_was_trained_here_is_given_to_nnunet(tmp_path: Path) -> None:
    path = tmp_path / "results" / "model" / "fold_0" / FINAL
    path.parent.mkdir(parents=True)
    path.write_bytes(b"ours")
    description = {"model": "results/model", "nnunetv2": "2.8.1", "trained_on": ["A"], "checkpoint": file_digest(path)}
    (tmp_path / "nnunet.json").write_text(json.dumps(description))
    model = load_nnunet([tmp_path], "mine", Installation())
    assert model.trained_on == {"A"}
    path.write_bytes(b"somebody's pickle")
    with pytest.raises(ModelError, match="train mine again"):
        load_nnunet([tmp_path], "mine", Installation())


def test_patients_that_it_was_trained_on_are_refused(tmp_path: Path) -> None:
    model = NnUNet("mine", [tmp_path], frozenset({"A"}), {}, Installation())
    with pytest.raises(ModelError, match=r"mine .* 1 .*A; leakage"):
        list(model.predict([Question(patient("A"), "mask", None)]))


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no-such-python"):
        list(run_worker(Installation(Path("no-such-python")), {"do": "check", "root": "."}, tmp_path / "log"))


@pytest.mark.skipif(find_spec("nnunetv2") is not None, reason="nnunetv2 is installed here")
def test_an_interpreter_without_nnunet_is_found_out() -> None:
    assert "not usable" in (said := examine_installation(None))
    assert "No module named 'nnunetv2'" in said
