"""Every test patient on one page: what is drawn, in which order, and what is not drawn again."""

import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.study.config.replay import Replication, read_replication
from gliobench.study.config.study import read_study
from gliobench.study.replication.outlines import all_external_plates
from gliobench.study.showing.atlas import PAGE, evenly, folder_name, write_atlas
from gliobench.study.showing.outlines import all_plates
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.progress import Silent

MODELS = ["image-centre", "mean-box", "flair-blob", "empty", "segmenter", "tiny-mllama-untrained"]
BOX = "[(10, 20), (10, 39), (29, 39), (29, 20)]"
OTHER = "[(12, 22), (12, 41), (31, 41), (31, 22)]"


@pytest.fixture
def context(finished_run: Path, phantom_cohort: Path, small_study: Path) -> Context:
    return make_context(read_study(small_study), cohort=phantom_cohort, out=finished_run)


@pytest.fixture
def external(tmp_path: Path) -> Replication:
    """Two patients: boxes of two models in six slices, a centre in one."""
    for name, said in (("a", BOX), ("b", OTHER)):
        (tmp_path / name).mkdir()
        for number in (0, 1):
            lines = f"Ground truth: {BOX} || Model output: {said}\n" * 6
            (tmp_path / name / f"patient_{number}.txt").write_text(lines)
    (tmp_path / "c").mkdir()
    line = f"Ground truth centre: [(20, 30)] || Ground truth bbox: {BOX} || Model output: (21, 31)\n"
    (tmp_path / "c" / "patient_0.txt").write_text(line)
    entries = "".join(
        f"  - {{name: {name}, task: {'centre' if name == 'c' else 'box'}, answers: {name}}}\n" for name in "abc"
    )
    (tmp_path / "held.yaml").write_text(f"name: r\ntitle: Held <answers>\ncohort: x\nreplay:\n{entries}")
    return read_replication(tmp_path / "held.yaml")


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_slices_are_spread_evenly() -> None:
    assert evenly([3, 5, 7]) == [3, 5, 7]
    # 23 in four parts of 5.75: their middles are 2.9, 8.6, 14.4 and 20.1
    assert evenly(range(23)) == [2, 8, 14, 20]
    assert evenly([10, 20, 30, 40, 50], 1) == [30]


def test_a_patients_folder_leads_nowhere_else_and_is_no_other_patients() -> None:
    assert folder_name("BraTS20_Training_001") == "BraTS20_Training_001"
    names = [folder_name(subject) for subject in ("..", "a/b", "a_b", "a.b", "a" * 500)]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name)


def test_every_test_patient_has_a_figure_of_each_model_and_a_few_slices(context: Context, tmp_path: Path) -> None:
    plates, models = all_plates(context, None)
    assert models == MODELS, "those that give a place, in the study's order"
    page = write_atlas(plates, models, "small", tmp_path, Silent())
    text = unescape(page.read_text(encoding="utf-8"))
    assert re.findall(r'<tr class="patient"><th scope="row">([^<]+)<', text) == list(context.tested)
    for id in context.tested:
        assert sorted(path.stem for path in (tmp_path / id).glob("*.png")) == sorted(MODELS)
    linked = re.findall(r'<img src="([^"]+)"', text)
    assert linked == [f"{id}/{model}.png" for id in context.tested for model in MODELS]
    for id in context.tested:
        own = text[text.index(f'<tr class="patient"><th scope="row">{id}<') :].split("</tbody>")[0]
        labels = re.findall(r"<span>axial (\d+)</span>", own)
        assert 1 <= len(labels) <= 4
        assert own.count("<svg") == len(labels) * (len(MODELS) + 1)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)), "ids are unique on the page"


def test_what_is_there_and_current_is_not_drawn_again(context: Context, tmp_path: Path) -> None:
    plates, models = all_plates(context, ["mean-box", "flair-blob"])
    write_atlas(plates, models, "small", tmp_path, Silent())
    page, before = tmp_path / PAGE, files(tmp_path)
    whole = page.read_bytes()
    write_atlas(plates, models, "small", tmp_path, Silent())
    assert {path: when for path, when in files(tmp_path).items() if path != page} == {
        path: when for path, when in before.items() if path != page
    }
    assert page.read_bytes() == whole
    first, second, *_ = plates
    (tmp_path / first.subject / "mean-box.png").write_bytes(b"damaged")
    (tmp_path / second.subject / "drawn.json").unlink()  # killed before it was done
    others = [replace(plate, inputs="another answer") if place == 2 else plate for place, plate in enumerate(plates)]
    write_atlas(others, models, "small", tmp_path, Silent())
    changed = {path.parent.name for path, when in files(tmp_path).items() if path != page and before[path] != when}
    assert changed == {plate.subject for plate in plates[:3]}
    assert (tmp_path / first.subject / "mean-box.png").read_bytes().startswith(b"\x89PNG")


def test_another_answer_is_another_drawing(context: Context, tmp_path: Path, phantom_cohort: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(context.folder.root, run)
    (plate, *_), _ = all_plates(context, ["mean-box"])
    answers = run / "answers" / "mean-box.jsonl"
    lines = answers.read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if f'"{plate.subject}"' in line and '"box":[' in line)
    lines[place] = re.sub(r',"check":"[^"]+"', "", re.sub(r'"box":\[[^]]+\]', '"box":[0,0,1,1]', lines[place]))
    answers.write_text("\n".join(lines) + "\n")
    (other, *rest), _ = all_plates(make_context(context.study, cohort=phantom_cohort, out=run), ["mean-box"])
    assert other.subject == plate.subject
    assert other.inputs != plate.inputs
    assert [one.inputs for one in rest] == [one.inputs for one in all_plates(context, ["mean-box"])[0][1:]]


def test_a_model_without_places_and_one_that_is_not_there_are_named(context: Context) -> None:
    with pytest.raises(StageError, match="majority-grade"):
        all_plates(context, ["majority-grade"])
    with pytest.raises(StageError, match=r"nobody.*majority-grade, image-centre"):
        all_plates(context, ["nobody"])


def test_held_answers_stand_task_by_task_with_their_own_truth(external: Replication, tmp_path: Path) -> None:
    plates, models = all_external_plates(external, None)
    assert [plate.subject for plate in plates] == ["patient_000", "patient_001"]
    assert models == ["a", "b", "c"]
    page = write_atlas(plates, models, external.title, tmp_path / "out", Silent()).read_text(encoding="utf-8")
    assert "Held &lt;answers&gt;" in page
    slices = [(item.task, item.index, sorted(item.answers), item.truth) for item in plates[0].slices()]
    # Six slices in four parts: their middles are 0.75, 2.25, 3.75 and 5.25.
    assert [one[:3] for one in slices] == [
        *(("box", index, ["a", "b"]) for index in (0, 2, 3, 5)),
        ("centre", 0, ["c"]),
    ]
    for item in plates[0].slices():
        assert item.truth is not None
        assert (item.truth.row_min, item.truth.column_max) == (10, 39)  # type: ignore[union-attr]
    assert {path.name for path in (tmp_path / "out" / "patient_001").glob("*.png")} == {"a.png", "b.png"}
    rows = page[page.index('<th scope="row">patient_001<') :]
    assert rows.count("not asked for a place") == 1, "c says nothing of the second patient"


def test_the_verb_takes_one_patient_or_all(external: Replication, tmp_path: Path) -> None:
    command = ["outlines", str(tmp_path / "held.yaml"), "--to", str(tmp_path / "out")]
    for given in ([], ["--all", "--subject", "patient_000"]):
        done = CliRunner().invoke(app, [*command, *given])
        assert done.exit_code == 2
        assert "either --subject PATIENT or --all" in " ".join(re.sub(r"[│╭╮╰╯─]", "", done.output).split())
    done = CliRunner().invoke(app, [*command, "--all", "--model", "b"])
    assert done.exit_code == 0, done.output
    assert "2 patients drawn, 0 were there and current" in done.stdout
    assert done.stdout.replace("\n", "").endswith(str(tmp_path / "out" / PAGE))
    assert "0 patients drawn, 2 were there" in CliRunner().invoke(app, [*command, "--all", "--model", "b"]).stdout


@pytest.mark.realdata
def test_the_reference_studys_answers_are_drawn(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOBENCH_REPLICATION", str(shared / "replication"))
    study = read_replication(Path(__file__).parents[2] / "studies" / "replication.yaml")
    plates, models = all_external_plates(study, None)
    assert {"llama-general-centre", "llama-general-box", "llama-general-polygon"} <= set(models)
    assert len(plates) == 55
    first = next(item for item in plates[0].slices() if item.task == "box")
    # The first box of the first patient's file, in its second slice of twelve: four parts of three.
    assert (first.index, first.truth.row_min) == (1, 20)  # type: ignore[union-attr]
    page = write_atlas(plates[:2], models, "r", tmp_path, Silent()).read_text(encoding="utf-8")
    assert page.count('<tr class="patient">') == 2
