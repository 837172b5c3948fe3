"""A look at a patient before anything is asked: the slice, the truth and the pictures are those that will be asked."""

import base64
import io
import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.subject import CohortError
from gliobench.grid.store import open_subject
from gliobench.study.config.study import read_study
from gliobench.study.showing.look import look
from gliobench.study.stages.prepare import prepare
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.tasks.prompt import own_prompt

STUDY = """\
name: looked
grid: {shape: [24, 32, 32]}
tasks: [grade, box]
models:
  - {kind: vlm, name: plain-untrained, checkpoint: tiny-mllama}
  - {kind: vlm, name: large-untrained, checkpoint: tiny-mllama, view: {name: rgb, scale: 2}, shots: 1}
  - {kind: baseline, name: mean-box}
"""
PATIENT = "Phantom_003"


@pytest.fixture
def context(tmp_path: Path, phantom_cohort: Path) -> Context:
    (tmp_path / "study.yaml").write_text(STUDY)
    return make_context(read_study(tmp_path / "study.yaml"), cohort=phantom_cohort, out=tmp_path / "out")


def pictures(page: str) -> list[np.ndarray]:
    """What models are shown, in the page's order."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_the_page_shows_the_largest_slice_and_what_each_model_will_see(context: Context) -> None:
    path = look(context, PATIENT)
    (stored,) = context.store.iterdir()  # nobody else was prepared
    subject = open_subject(stored)
    assert subject.id == PATIENT
    assert subject.labels is not None
    index = int((subject.labels > 0).sum(axis=(1, 2)).argmax())
    assert path == context.folder.root / "look" / f"{PATIENT}-axial-{index}.html"
    page = unescape(path.read_text(encoding="utf-8"))
    assert "Shows the truth." in page
    plain, large = pictures(page)
    flair, t1ce, t2 = (subject.image[channel, index] for channel in (0, 2, 3))
    assert (plain == flair[:, :, None]).all()
    assert large.shape == (64, 64, 3)
    assert (large == np.stack([t1ce, t2, flair], axis=-1).repeat(2, axis=0).repeat(2, axis=1)).all()
    rows, columns = np.nonzero(subject.labels[index])
    edges = (rows.min(), columns.min(), rows.max(), columns.max())
    answers = re.findall(r'<pre class="truth">([^<]+)</pre>', page)
    grade = f"Choice: {subject.grade}"
    assert answers == [
        grade,
        "({}, {}, {}, {})".format(*edges),
        grade,
        f"({2 * edges[0]}, {2 * edges[1]}, {2 * edges[2] + 1}, {2 * edges[3] + 1})",
    ], "a pixel shown as two by two ends one later"
    assert page.count(own_prompt("grade").text) == 2
    assert "64 rows by 64 columns" in page
    assert "shown 1 slice of a training patient" in page
    assert "mean-box" not in page


def test_what_a_look_prepared_is_there_for_prepare(context: Context) -> None:
    look(context, PATIENT)
    (stored,) = context.store.iterdir()
    before = (stored / "image.npy").stat().st_mtime_ns
    prepare(context)
    assert (stored / "image.npy").stat().st_mtime_ns == before
    assert len(list(context.store.iterdir())) == 10


def test_any_slice_of_any_plane_and_one_model_alone(context: Context, tmp_path: Path) -> None:
    path = look(
        context, PATIENT, plane="coronal", index=0, models=["plain-untrained"], to=tmp_path / "one" / "page.html"
    )
    page = path.read_text(encoding="utf-8")
    assert path == tmp_path / "one" / "page.html"
    assert "There is no tumour in this slice." in page
    assert 'id="truth"' not in page
    assert '<pre class="truth">none</pre>' in page
    assert len(pictures(page)) == 1
    assert pictures(page)[0].shape == (24, 32, 3)


def test_a_patient_without_a_mask_is_shown_without_truth(
    context: Context, phantom_cohort: Path, tmp_path: Path
) -> None:
    cohort = tmp_path / "cohort"
    shutil.copytree(phantom_cohort, cohort)
    (mask,) = (cohort / PATIENT).glob("*seg*")
    mask.unlink()
    page = look(make_context(context.study, cohort=cohort, out=tmp_path / "out"), PATIENT).read_text(encoding="utf-8")
    assert "The patient has no mask" in page
    assert "truth is unknown: box." in page
    assert len(re.findall(r'<pre class="truth">Choice: [01]</pre>', page)) == 2


def test_what_is_not_there_is_named(context: Context, phantom_cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="has no patient nobody; it has 10 patients"):
        look(context, "nobody")
    with pytest.raises(StageError, match="has no sagittal slice 32: they go from 0 to 31"):
        look(context, PATIENT, plane="sagittal", index=32)
    with pytest.raises(StageError, match="has no axial slice -1"):
        look(context, PATIENT, index=-1)
    with pytest.raises(StageError, match=r"mean-box .*plain"):
        look(context, PATIENT, models=["mean-box"])
    with pytest.raises(StageError, match="lies in the cohort's folder"):
        look(context, PATIENT, to=phantom_cohort / "page.html")
    cohort = tmp_path / "cohort"
    shutil.copytree(phantom_cohort, cohort)
    next((cohort / PATIENT).glob("*flair*")).write_bytes(b"no image")
    with pytest.raises(CohortError, match=PATIENT):
        look(make_context(context.study, cohort=cohort, out=tmp_path / "out"), PATIENT)


def test_the_verb_says_where_the_page_is(tmp_path: Path, phantom_cohort: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    command = ["look", str(tmp_path / "study.yaml"), "--cohort", str(phantom_cohort), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*command, "--subject", PATIENT, "--plane", "coronal", "--slice", "12"])
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()).read_bytes().startswith(b"<!DOCTYPE html>")
    assert done.stdout.strip().endswith(f"{PATIENT}-coronal-12.html")
