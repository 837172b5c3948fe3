"""Reference slices: of training patients alone, in every round, with their true answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models.asked import shown_image
from tests.models.servers import Answer, completion, serving

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import take_slice
from gliobench.records.store import RecordStore
from gliobench.study.asking.shots import reference_shots
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.tasks.coordinates import Coordinates
from gliobench.tasks.geometry import Box, Grade

STUDY = """\
name: shown
grid: {{shape: [24, 32, 32]}}
split: {{scheme: {scheme}, folds: 3, fold: {fold}, validation_share: 0.3, seed: 1}}
slices: {{planes: [axial, coronal], every: 12}}
tasks: [grade, box]
models:
  - {{kind: openai, name: remote, base_url: {address}, model: served, view: {view}, shots: {shots}}}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def _context(
    folder: Path,
    cohort: Path,
    store: Path,
    scheme: str = "cross-validation",
    address: str = "http://127.0.0.1:1/v1",
    **options: Any,
) -> Context:
    folder.mkdir(exist_ok=True)
    path = folder / "study.yaml"
    text = STUDY.format(scheme=scheme, address=address, **{"shots": 3, "view": "grey", "fold": "all"} | options)
    path.write_text(text)
    context = make_context(read_study(path), cohort=cohort, out=folder / "out", store=store)
    prepare(context)
    split(context)
    return context


def _shown_patients(context: Context, body: dict[str, Any]) -> list[str]:
    """Whose FLAIR slices stand in a request, found by their pixels."""
    users = [message for message in body["messages"] if message["role"] == "user"]
    images = [shown_image({"messages": [message]}) for message in users]
    return [
        next(
            subject.id
            for subject in context.subjects.values()
            for plane, size in (("axial", 24), ("coronal", 32))
            for index in range(size)
            if np.array_equal(take_slice(subject.image[0], plane, index), image)  # type: ignore[arg-type]
        )
        for image in images
    ]


def test_a_model_is_shown_patients_who_neither_decide_nor_are_tested(
    tmp_path: Path, phantom_cohort: Path, store: Path
) -> None:
    with serving(lambda *_: Answer(completion("Choice: 1"))) as (address, log):
        context = _context(tmp_path, phantom_cohort, store, address=address)
        predict(context)
        count = len(log.bodies)
        predict(context)
        assert len(log.bodies) == count, "the same shots: nothing is asked twice"
        more = _context(tmp_path, phantom_cohort, store, address=address, shots=2)
        predict(more)
        assert len(log.bodies) == 2 * count, "other shots: other questions"
    assert len(context.rounds) == 3
    rounds = {id: round for round in context.rounds for id in round.test}
    for body in log.bodies[:count]:
        *reference, asked = _shown_patients(context, body)
        fold = rounds[asked]
        assert len(set(reference)) == 3
        assert set(reference) <= set(fold.learn)
        assert set(reference).isdisjoint({*fold.test, *fold.validation})
    keys = [record.key for record in RecordStore(context.folder.answers("remote")).read()]
    assert len(set(keys)) == len(keys) == 2 * count


def test_shots_by_hand(tmp_path: Path, phantom_cohort: Path, store: Path) -> None:
    context = _context(tmp_path, phantom_cohort, store)
    (config,) = context.study.models
    assert config.built_each_round
    assert not config.model_copy(update={"shots": 0}).built_each_round
    round = context.rounds[0]
    shots = reference_shots(context, config, round, "coronal")  # type: ignore[arg-type]
    again = reference_shots(_context(tmp_path, phantom_cohort, store), config, round, "coronal")  # type: ignore[arg-type]
    assert list(shots) == ["grade", "box"]
    for task, of_task in shots.items():
        assert [one.question.frame for one in of_task] == [one.question.frame for one in again[task]]
        assert [one.question.subject.id for one in of_task] == [one.question.subject.id for one in again[task]]
        grades = [one.question.subject.grade for one in of_task]
        assert grades in ([0, 1, 0], [0, 1, 1])  # in turn; one LGG may be all there are
        for shot in of_task:
            frame, tumour = shot.question.frame, shot.question.subject.tumour
            assert frame is not None
            assert frame.plane == "coronal"
            areas = tumour.sum(axis=(0, 2))
            assert areas[frame.index] == areas.max() > 0
            if task == "grade":
                assert shot.truth == Grade(shot.question.subject.grade)  # type: ignore[arg-type]
            else:
                rows, columns = np.nonzero(tumour[::-1, frame.index])
                assert shot.truth == Box(frame, rows.min(), columns.min(), rows.max(), columns.max())


def test_where_all_folds_answer_together_who_decides_is_not_shown(
    tmp_path: Path, phantom_cohort: Path, store: Path
) -> None:
    context = _context(tmp_path, phantom_cohort, store, scheme="holdout")
    ((config,), (round,)) = context.study.models, context.rounds
    shots = reference_shots(context, config, round, "axial")  # type: ignore[arg-type]
    shown = {shot.question.subject.id for of_task in shots.values() for shot in of_task}
    assert shown.isdisjoint({*round.test, *round.validation})


def test_more_shots_than_patients(tmp_path: Path, phantom_cohort: Path, store: Path) -> None:
    context = _context(tmp_path, phantom_cohort, store, shots=9)
    with pytest.raises(StageError, match=r"remote: shots: 9 for the task grade, but only \d training patients have"):
        predict(context)


def test_a_view_in_a_study_file(tmp_path: Path) -> None:
    def config(view: str) -> LanguageModelConfig:
        path = tmp_path / "study.yaml"
        path.write_text(
            f"name: v\nmodels:\n  - kind: vlm\n    name: untrained\n    checkpoint: tiny-mllama\n    view: {view}\n"
        )
        (model,) = read_study(path).models
        assert isinstance(model, LanguageModelConfig)
        return model

    view = config("{name: mosaic, scale: 4, window: [20, 200], ticks: true}").view.to_view(GLIOMA)
    assert (view.name, view.scale, view.window, view.ticks) == ("mosaic", 4, (20.0, 200.0), True)
    assert config("rgb").view.to_view(GLIOMA).name == "rgb"
    assert config("{modalities: [t2]}").view.to_view(GLIOMA).identity == {"modality": "t2"}
    # Part of every record's key where it is declared; where not, keys and fingerprints are those of earlier runs.
    gemini = config("{coordinates: gemini}")
    assert gemini.view.to_view(GLIOMA).identity == {"modality": "flair", "coordinates": "row first, thousandths"}
    own = config("{coordinates: {order: x-first, scale: [140, 150]}}").view.to_view(GLIOMA).coordinates
    assert own == Coordinates("x-first", (140, 150))
    assert gemini.model_dump()["view"].keys() - config("grey").model_dump()["view"].keys() == {"coordinates"}
    for text, message in [
        ("collage", "study.yaml:6: models.0.view: unknown view collage: expected some of grey, rgb"),
        ("{name: rgb, modalities: [t2]}", "study.yaml:6: models.0.view: view rgb shows 3 modalities, got 1"),
        ("{scale: 0}", "study.yaml:6: models.0.view.scale: "),
        ("{modality: t2}", "study.yaml:6: models.0.view.modality: unknown key"),
        ("{coordinates: qwen}", "study.yaml:6: models.0.view.coordinates: expected one of as-asked, gemini, "),
        ("{coordinates: {scale: [0, 9]}}", r"study.yaml:6: models.0.view.coordinates.scale: .* 1 px or more"),
        ("{coordinates: gemini, ticks: true}", "study.yaml:6: models.0.view: view: "),
        ("{coordinates: gemini, name: mosaic}", "study.yaml:6: models.0.view: view: "),
        ("{coordinates: gemini}\n    shots: 1", "study.yaml:3: models.0: view.coordinates: shots has answers in whole"),
        ("{coordinates: gemini}\n    answer: {box: constrained}", "view.coordinates: answer: box: constrained has"),
        ("{coordinates: gemini}\n    finetune: {steps: 1}", "view.coordinates: finetune has answers in whole pixels"),
    ]:
        with pytest.raises(StudyError, match=message):
            config(text)
