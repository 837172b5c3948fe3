"""Two hospitals' runs as one: what leaves a hospital, what is refused, and the pooled figures by hand."""

import hashlib
import hmac
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result
from tests.conftest import MakeOnce
from tests.study.scored import run_to_scores
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.phantom import write_phantom
from gliobench.errors import GliobenchError
from gliobench.integrity import CHECKSUM, sealed_json
from gliobench.scoring.compare import compare_runs
from gliobench.study.config.study import read_study
from gliobench.study.sites.identifiers import identifying
from gliobench.study.sites.merge import merged
from gliobench.study.sites.package import read_package
from gliobench.study.state.context import make_context

STUDY = """\
name: sites
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 3, seed: 1}
slices: {every: 3}
tasks: [grade, centre, mask]
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: image-centre}
  - {kind: baseline, name: flair-blob}
  - {kind: classical, name: radiomics, region: brain}
"""
SEEDS = {"a": (3, 10), "b": (5, 8)}  # of the phantoms, and how many


def add_sources(path: Path) -> None:
    """Two sources, in turn, as a BraTS 2020 table gives them: by each patient's id in the year before."""
    table = pd.read_csv(path)
    sources = [f"BraTS19_{'CBICA' if number % 4 < 2 else 'TCIA01'}_{number}_1" for number in range(len(table))]
    table.assign(BraTS_2019_subject_ID=sources).to_csv(path, index=False)


@pytest.fixture(scope="session")
def hospitals(make_once: MakeOnce) -> Path:
    """The run folders `a/run` and `b/run` of one study on two cohorts, whose patients have the same ids."""

    def fill(folder: Path) -> None:
        for name, (seed, count) in SEEDS.items():
            write_phantom(folder / name / "cohort", subjects=count, seed=seed, spacing_mm=3)
            if name == "a":
                add_sources(folder / name / "cohort" / "name_mapping.csv")
            (folder / name / "study.yaml").write_text(STUDY)
            context = make_context(
                read_study(folder / name / "study.yaml"), cohort=folder / name / "cohort", out=folder / name / "run"
            )
            run_to_scores(context)
            assert gliobench("export", context.folder.root, "--out", folder / f"{name}.zip").exit_code == 0

    return make_once("hospitals", fill)


def gliobench(command: str, *words: object) -> Result:
    options = ["--without-images"] if command == "export" else []
    return CliRunner().invoke(app, [command, *map(str, words), *options])


def refused(result: Result) -> str:
    assert isinstance(result.exception, GliobenchError), result.output
    return str(result.exception)


@pytest.fixture(scope="module")
def both(hospitals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merged") / "both"
    result = gliobench("merge", hospitals / "a.zip", hospitals / "b.zip", "--name", "Aachen", "--name", "Bern",
                       "--out", out)  # fmt: skip
    assert result.exit_code == 0, result.exception
    return out


def summary(run: Path) -> "pd.Series[float]":
    table = pd.read_parquet(run / "scores" / "summary.parquet")
    return table.set_index(["model", "task", "source", "plane", "metric"])["value"]


def test_an_export_holds_no_id_path_date_or_pixel(hospitals: Path, tmp_path: Path) -> None:
    run, out = hospitals / "a" / "run", tmp_path / "out"
    line = gliobench("export", run, "--out", out).output
    found = b"".join(path.read_bytes() for path in out.iterdir())
    prepared = json.loads((run / "prepared.json").read_text())
    for id in {name for entry in prepared["subjects"] for name in (entry["id"], entry["patient"])}:
        assert id.encode() not in found
    assert not re.search(rb"Phantom|/tmp|\.nii|\.npy|T\d\d:\d\d:\d\d|20\d\d-\d\d-\d\d", found)
    salt = (run / "export.salt").read_bytes()
    assert salt not in found
    images = {entry["content"].encode() for entry in prepared["subjects"]}
    assert not any(content in found for content in images)  # the digest of an image would find it again
    answers = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    assert {"text", "reason", "key", "time"}.isdisjoint(key for answer in answers for key in answer)
    assert all(answer["value"] is None for answer in answers if answer["task"] == "mask")
    assert sorted(path.name for path in out.iterdir()) == [
        *("answers.jsonl", "manifest.json", "per_subject.csv", "summary.csv", "votes.csv"),
    ]
    assert "4 patients and 4 models" in line


def test_a_pseudonym_is_a_keyed_hash_and_stays_the_same(hospitals: Path, tmp_path: Path) -> None:
    run = hospitals / "a" / "run"
    key = bytes.fromhex((run / "export.salt").read_text())
    ids = set(pd.read_parquet(run / "scores" / "per_subject.parquet")["subject"])
    expected = {hmac.new(key, id.encode(), hashlib.sha256).hexdigest()[:32] for id in ids}
    assert gliobench("export", run, "--out", tmp_path / "again.zip").exit_code == 0
    assert (tmp_path / "again.zip").read_bytes() == (hospitals / "a.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "again.zip") as archive, archive.open("per_subject.csv") as file:
        assert set(pd.read_csv(file)["subject"]) == expected
    assert (run / "export.salt").stat().st_mode & 0o077 == 0


def test_pooled_means_and_accuracy_are_those_of_all_patients(hospitals: Path, both: Path) -> None:
    pooled = summary(both)
    rows = pd.concat(
        pd.read_parquet(hospitals / name / "run" / "scores" / "per_subject.parquet") for name in SEEDS
    )  # fmt: skip
    for model, task, metric in (("flair-blob", "mask", "dice"), ("image-centre", "centre", "distance_to_centre_mm")):
        own = rows[(rows["model"] == model) & (rows["task"] == task) & (rows["metric"] == metric)]
        own = own[own["source"] == task]
        assert len(own) == 7, "4 of the one and 3 of the other"
        plane = own["plane"].iloc[0]
        assert pooled[model, task, task, plane, metric] == pytest.approx(own["value"].mean())
    votes = pd.concat(pd.read_parquet(hospitals / name / "run" / "scores" / "votes.parquet") for name in SEEDS)
    own = votes[votes["model"] == "radiomics"]
    right = (own["predicted"] == own["grade"]).to_numpy(dtype=bool)
    assert pooled["radiomics", "grade", "grade", "volume", "accuracy"] == pytest.approx(right.mean())
    brier = ((own["score"] - own["grade"].astype(float)) ** 2).mean()
    assert pooled["radiomics", "grade", "grade", "volume", "brier"] == pytest.approx(brier)


def test_each_site_has_its_own_row(hospitals: Path, both: Path) -> None:
    table = pd.read_csv(both / "report" / "sites.csv")
    assert list(dict.fromkeys(table["group"])) == ["all sites", "Aachen", "Bern"]
    sizes = dict(zip(table["group"], table["n_patients"], strict=True))
    assert sizes == {"all sites": 7, "Aachen": 4, "Bern": 3}
    own = summary(hospitals / "b" / "run")
    row = table[(table["group"] == "Bern") & (table["model"] == "flair-blob") & (table["task"] == "mask")].iloc[0]
    assert row["value"] == pytest.approx(own["flair-blob", "mask", "mask", "volume", row["metric"]])
    page = (both / "report" / "report.html").read_text()
    assert "Site by site" in page
    assert "No network was trained" not in page
    assert "Site by site" in (both / "report" / "report.md").read_text()
    assert "radiomics: trained at each site" in page


def test_the_models_of_a_merged_study_can_be_compared(both: Path) -> None:
    table = compare_runs([both], reference="image-centre", metrics=["distance_to_centre_mm"])
    row = table[table["model_a"] == "flair-blob"].iloc[0]
    assert row["n_subjects"] == 7  # patients of both sites, who had the same ids


def test_patients_given_twice_are_refused(hospitals: Path, tmp_path: Path) -> None:
    a, b = hospitals / "a.zip", hospitals / "b.zip"
    shutil.copy(a, tmp_path / "c.zip")
    assert "give it once" in refused(gliobench("merge", a, tmp_path / "c.zip", "--out", tmp_path / "x"))
    other = shutil.copytree(hospitals / "b" / "run", tmp_path / "run")
    (other / "export.salt").unlink()  # the same patients with other hashes
    assert gliobench("export", other, "--out", tmp_path / "d.zip").exit_code == 0
    twice = gliobench("merge", b, tmp_path / "d.zip", "--out", tmp_path / "x")
    assert "has the same figures as patient" in refused(twice)
    assert not (tmp_path / "x").exists()


def changed(export: Path, out: Path, **files: Any) -> Path:
    """The export as a folder with other files, checksums and all: `files` are functions of their text, by stem."""
    with zipfile.ZipFile(export) as archive:
        archive.extractall(out)
    for stem, change in files.items():
        path = next(out.glob(f"{stem}.*"))
        path.write_text(change(path.read_text()))
    manifest = json.loads((out / "manifest.json").read_text())
    manifest.pop(CHECKSUM)
    manifest["files"] = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (out / "manifest.json").write_bytes(sealed_json("manifest.json", manifest))
    return out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"manifest": lambda text: text.replace('"every": 3', '"every": 2')}, r"slices.every of .* \(a 3, out 2\)"),
        ({"manifest": lambda text: text.replace('"region": "brain"', '"region": "crop"')}, "radiomics.settings.region"),
        ({"manifest": lambda text: text.replace('"arithmetic": "', '"arithmetic": "0')}, "one version of gliobench"),
        ({"summary": lambda text: re.sub(r"(mask,mask,volume,dice,\w*,)[\d.]+", r"\g<1>0.99", text)}, "in its summary"),
        ({"votes": lambda text: text + text.splitlines()[1] + "\n"}, "a patient is duplicated"),
        ({"per_subject": lambda text: text.replace("metric", "metrics", 1)}, "has other columns"),
        ({"per_subject": lambda text: text.replace(",0.", ",zero.", 1)}, "cannot be read"),
    ],
)  # fmt: skip
def test_exports_that_do_not_go_together_are_refused(
    hospitals: Path, tmp_path: Path, files: dict[str, Any], message: str
) -> None:
    other = changed(hospitals / "b.zip", tmp_path / "out", **files)
    assert re.search(message, refused(gliobench("merge", hospitals / "a.zip", other, "--out", tmp_path / "x")))


def test_a_model_of_one_site_alone_is_left_out_and_named(hospitals: Path, tmp_path: Path) -> None:
    other = changed(hospitals / "b.zip", tmp_path / "out", **dict.fromkeys(
        ("manifest", "per_subject", "summary", "votes"), lambda text: text.replace("flair-blob", "bright")
    ))  # fmt: skip
    contents = merged({"A": read_package(hospitals / "a.zip"), "B": read_package(other)})
    assert set(contents.summary["model"]) == {"majority-grade", "image-centre", "radiomics"}
    assert "flair-blob: left out, for only A asked it." in contents.notes


def test_damage_is_refused(hospitals: Path, tmp_path: Path) -> None:
    good, folder = hospitals / "a.zip", tmp_path / "out"
    with zipfile.ZipFile(hospitals / "b.zip") as archive:
        archive.extractall(folder)
    (folder / "votes.csv").write_text("nothing")
    assert "votes.csv is damaged" in refused(gliobench("merge", good, folder, "--out", tmp_path / "x"))
    (folder / "manifest.json").write_text("[1]")
    assert "is not one of" in refused(gliobench("merge", good, folder, "--out", tmp_path / "x"))
    (tmp_path / "no.zip").write_bytes(b"PK")
    assert "cannot be read" in refused(gliobench("merge", good, tmp_path / "no.zip", "--out", tmp_path / "x"))
    assert gliobench("merge", good, "--out", tmp_path / "x").exit_code == 2


def test_what_cannot_be_made_anonymous_is_not_written(hospitals: Path, tmp_path: Path) -> None:
    run = shutil.copytree(hospitals / "a" / "run", tmp_path / "run")
    (run / "stamps" / "score.json").unlink()
    path = run / "scores" / "study.json"
    study = {key: value for key, value in json.loads(path.read_text()).items() if key != CHECKSUM}
    first = json.loads((run / "prepared.json").read_text())["subjects"][0]["id"]
    for name, found in ((f"as-{first.lower()}.", "the id"), ("on /srv/klinik/scans", "a path")):
        path.write_bytes(sealed_json("study.json", {**study, "study": name}))
        assert found in refused(gliobench("export", run, "--out", tmp_path / "x.zip"))
    assert not (tmp_path / "x.zip").exists()
    (run / "export.salt").write_text("short")
    path.write_bytes(sealed_json("study.json", study))
    assert "hexadecimal" in refused(gliobench("export", run, "--out", tmp_path / "x.zip"))
    assert CliRunner().invoke(app, ["export", str(run), "--out", str(tmp_path / "x.zip")]).exit_code == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("seen in Müller_7.", "the id Müller_7"),
        ("MÜLLER_7", "the id Müller_7"),
        ("Müller_77 and xMüller_7", None),
        ("id 0042?", "the id 0042"),
        ("10042 and 00421", None),
        ("an id of one letter: B", None),
        ("a.b*c", "the id a.b*c"),
        ("in /home/anna/scans", "a path"),
        (r"in C:\scans", "a path"),
        (r"\\server\scans", "a path"),
        ("https://pacs.local/1", "a path"),
        ("meta-llama/Llama-3.2-11B-Vision, low/high grade and 3/4", None),
        ("on 2019-03-01", "a date"),
        ("on 1.3.2019", "a date"),
        ("20190301", "a date"),
        ("row 2019, column 301", None),
    ],
)
def test_what_identifies(text: str, found: str | None) -> None:
    answer = identifying([text], ["Müller_7", "0042", "B", "a.b*c"], dates=True)
    assert (answer is None) if found is None else (answer is not None and answer.startswith(found))


def test_the_figures_of_a_site_come_back_to_the_last_digit(hospitals: Path) -> None:
    own, read = (
        pd.read_parquet(hospitals / "a" / "run" / "scores" / "summary.parquet"),
        read_package(hospitals / "a.zip"),
    )
    pd.testing.assert_frame_equal(read.scores.summary.reset_index(drop=True), own, check_exact=True, check_dtype=False)
