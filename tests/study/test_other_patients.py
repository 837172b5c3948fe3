"""Where only the patients have changed roles, every model is asked as in a folder in which nothing was done before."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from gliobench.cohort.phantom import write_phantom
from gliobench.grid.frame import take_slice
from gliobench.study.asking.answers import current_answers, question_lists, read_list
from gliobench.study.config.study import read_study
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context

STUDY = """\
name: roles
grid: {{shape: [24, 32, 32]}}
split: {{file: split.json, fold: {fold}}}
slices: {{every: 12}}
tasks: [grade, box]
models:
  - {{{entry}}}
"""
MEAN_BOX = "kind: baseline, name: mean-box"
CLASSICAL = "kind: classical, name: classical, region: truth"
ENCODER = "kind: encoder, name: encoder-untrained, checkpoint: tiny-clip, every: 6"
TINY = "kind: vlm, name: vlm-untrained, checkpoint: tiny-mllama, tasks: [grade], answer: choice"
Parts = tuple[Sequence[str], Sequence[Sequence[str]]]  # who is tested, and who validates in each fold


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)  # whatever this process runs next is compared with processes of their own


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gliobench.models.classical.grade.TREES", 20)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roles") / "cohort"
    write_phantom(folder, subjects=12, seed=3, spacing_mm=3)
    return folder


def asked(folder: Path, cohort: Path, entry: str, fold: str, parts: Parts) -> Context:
    """The study after `predict`, with these patients in these roles."""
    folder.mkdir(exist_ok=True)
    (folder / "split.json").write_text(json.dumps(dict(zip(("test", "folds"), parts, strict=True))))
    (folder / "study.yaml").write_text(STUDY.format(entry=entry, fold=fold))
    study = read_study(folder / "study.yaml")
    context = make_context(study, cohort=cohort, out=folder / "run", store=cohort.parent / "grid")
    for stage in (prepare, split, predict):
        stage(context)
    return context


@pytest.fixture(scope="module")
def grades(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, Sequence[str]]:
    """The ids of each grade, five at least."""
    (study := tmp_path_factory.mktemp("grades") / "study.yaml").write_text(
        "name: g\nmodels: [{kind: baseline, name: empty}]\n"
    )
    context = make_context(read_study(study), cohort=cohort, out=study.parent / "run")
    prepare(context)
    found = {grade: [one.id for one in context.subjects.values() if one.grade == grade] for grade in (0, 1)}
    assert all(len(ids) >= 5 for ids in found.values()), found
    return found


def before_and_after(change: str, grades: Mapping[int, Sequence[str]]) -> tuple[str, Parts, Parts]:
    """The folds that are used, and the parts; LGG a to e and HGG A to E."""
    (a, b, c, d, e), (A, B, C, D, E) = grades[0][:5], grades[1][:5]
    first = ((a, A), ((b, B), (c, d, C, D)))
    return {
        "another tested": ("0", first, ((a, E), first[1])),
        "one tested fewer": ("0", first, ((a,), first[1])),
        "another to learn from": ("0", first, (first[0], ((b, B), (c, e, C, D)))),
        "another to decide": ("all", first, (first[0], ((c, C), (b, d, B, D)))),  # and the same to learn from
    }[change]


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        (MEAN_BOX, "another tested"),
        (MEAN_BOX, "one tested fewer"),
        (MEAN_BOX, "another to learn from"),
        (CLASSICAL, "another to learn from"),
        (CLASSICAL, "another to decide"),
        (ENCODER, "another to decide"),
        (f"{TINY}, shots: 1", "another to decide"),
        (f"{TINY}, aggregate: learned", "another to decide"),
    ],
)
def test_models_are_asked_again_for_other_patients(
    entry: str, change: str, grades: Mapping[int, Sequence[str]], cohort: Path, tmp_path: Path
) -> None:
    fold, before, after = before_and_after(change, grades)
    first = asked(tmp_path / "again", cohort, entry, fold, before)
    (config,) = first.study.models
    earlier = [read_list(path) for path in question_lists(first, config.name)]
    again = asked(tmp_path / "again", cohort, entry, fold, after)
    fresh = asked(tmp_path / "fresh", cohort, entry, fold, after)
    found, expected = ([read_list(path) for path in question_lists(one, config.name)] for one in (again, fresh))
    assert found == expected
    assert found != earlier


def test_a_grade_that_was_corrected_is_trained_on(
    grades: Mapping[int, Sequence[str]], cohort: Path, tmp_path: Path
) -> None:
    """It counts by the patient's content: no voxel has changed, nor who learns, decides and is tested."""
    fold, parts, _ = before_and_after("another tested", grades)
    corrected = Path(shutil.copytree(cohort, tmp_path / "cohort"))
    table, learnt = corrected / "name_mapping.csv", grades[1][4]
    parts = (parts[0], (parts[1][0], (*parts[1][1], learnt)))
    earlier = asked(tmp_path / "again", corrected, CLASSICAL, fold, parts)
    keys = read_list(earlier.folder.asked("classical"))
    (row,) = [line for line in table.read_text().splitlines() if learnt in line]
    table.write_text(table.read_text().replace(row, row.replace("HGG", "LGG")))
    again = asked(tmp_path / "again", corrected, CLASSICAL, fold, parts)
    assert again.subjects[learnt].grade == 0
    fresh = asked(tmp_path / "fresh", corrected, CLASSICAL, fold, parts)
    found, expected = (read_list(one.folder.asked("classical")) for one in (again, fresh))
    assert found == expected
    assert found != keys


def test_the_mean_box_is_that_of_who_is_trained_on_now(
    grades: Mapping[int, Sequence[str]], cohort: Path, tmp_path: Path
) -> None:
    fold, before, after = before_and_after("another to learn from", grades)
    asked(tmp_path, cohort, MEAN_BOX, fold, before)
    context = asked(tmp_path, cohort, MEAN_BOX, fold, after)
    edges = []
    for id in after[1][1]:  # fold 0 validates, fold 1 is learnt from
        tumour = context.subjects[id].tumour
        places = [np.nonzero(take_slice(tumour, "axial", index)) for index in range(24)]
        places = [(rows, columns) for rows, columns in places if len(rows)]
        edges.append(
            np.mean([[rows.min(), columns.min(), rows.max(), columns.max()] for rows, columns in places], axis=0)
        )
    expected = np.mean(edges, axis=0)
    records = current_answers(context, "mean-box")
    assert {record.subject for record in records} == set(after[0])
    for record in records:
        np.testing.assert_allclose(record.value["box"], expected)  # type: ignore[index]
