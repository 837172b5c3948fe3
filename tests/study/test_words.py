"""A whole study of another problem than gliomas says nothing of gliomas, wherever a person reads."""

import csv
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app

OF_GLIOMAS = re.compile(r"tumou?r|glioma|brain|flair|\b[HL]GG\b|\bMRI?\b|brats", re.IGNORECASE)
NAMES = re.compile(r"majority-grade|grade-resnet")  # of a baseline and a network, the same in every study
GRADE = re.compile(r'(?<!")\bgrades?\b')  # but as the task's name in settings and tables
DRAWN = re.compile(r'<(style|svg).*?</\1>|data:image[^"]*', re.DOTALL)
CLASSES = ("benign", "indeterminate", "malignant")
STUDY = """\
name: small
problem: nodules
grid: {preset: foreground, shape: [8, 24, 24]}
split: {test_share: 0.4, folds: 2, seed: 0}
slices: {select: foreground, every: 4}
tasks: [class, box, mask]
consistency: {repeats: 2, subjects: 1, task: class}
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: bright-blob}
  - {kind: vlm, name: untrained-choice, checkpoint: tiny-mllama, answer: {class: choice}, tasks: [class]}
  - {kind: vlm, name: untrained-free, checkpoint: tiny-mllama, temperature: 1.0, max_new_tokens: 4, tasks: [class]}
"""


def write_nodules(folder: Path) -> None:
    """Fifteen scans of noise with a bright cube, five of each class; two readers of three agree."""
    random = np.random.default_rng(0)
    with (folder / "subjects.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "class", "ct", *(f"reader_{number}" for number in (1, 2, 3))])
        for number in range(15):
            place = random.integers(4, 16, 2)
            inside = np.zeros((24, 24, 8), np.uint8)
            inside[place[0] : place[0] + 5, place[1] : place[1] + 5, 2:6] = 1
            voxels = random.normal(100, 20, inside.shape) + 80 * inside
            names = [f"P{number:02d}_{one}.nii.gz" for one in ("ct", "r1", "r2", "r3")]
            for name, content in zip(
                names, (voxels.astype(np.int16), inside, inside, np.roll(inside, 1, 0)), strict=True
            ):
                nib.save(nib.Nifti1Image(content, np.diag([1.0, 1.0, 2.0, 1.0])), folder / name)
            table.writerow([f"P{number:02d}", CLASSES[number % 3], *names])


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the console, the page, its Markdown and its tables say, by what says it."""
    folder = tmp_path_factory.mktemp("nodules")
    cohort, out, study = folder / "cohort", folder / "out", folder / "study.yaml"
    cohort.mkdir()
    write_nodules(cohort)
    study.write_text(STUDY)
    places = [str(study), "--cohort", str(cohort), "--out", str(out)]
    calls = {
        "plan": ["plan", *places],
        "run": ["run", *places],
        "answers": ["answers", *places, "--model", "untrained-free", "--subject"],
    }
    found = {}
    for name, arguments in calls.items():
        tested = [re.findall(r'"(P\d\d)"', (out / "split.json").read_text())[0]] if name == "answers" else []
        result = CliRunner().invoke(app, [*arguments, *tested])
        assert result.exit_code == 0, result.output
        found[name] = result.output
    return found | dict(_read(out / "report"))


def _read(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.iterdir():
        if path.suffix in (".html", ".md", ".csv"):
            yield path.name, unescape(DRAWN.sub("", path.read_text()))


def test_nothing_is_said_of_gliomas(said: dict[str, str]) -> None:
    assert {"plan", "run", "answers", "report.html", "report.md", "summary.csv", "votes.csv"} <= said.keys()
    for name, text in said.items():
        plain = NAMES.sub("", text)
        found = [*OF_GLIOMAS.finditer(plain), *([] if name.endswith(".csv") else GRADE.finditer(plain))]
        assert not [plain[max(one.start() - 60, 0) : one.end() + 40] for one in found], name


def test_human_readers_are_no_model(said: dict[str, str]) -> None:
    assert "How well do 2 models and 3 trivial baselines answer class, centre" in said["report.html"]
    assert "readers (human)" not in said["report.md"].split("## ")[0]
    assert "readers" in said["summary.csv"]
