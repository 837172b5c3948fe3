"""Questions about changed images in a whole study: who is asked what, what it changes, and what is said of it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tests.study.scored import run_to_scores

from gliobench.grid.controls import CONTROLS
from gliobench.records.record import Record
from gliobench.records.store import RecordStore
from gliobench.report.controls import control_sentences
from gliobench.study.asking.controls import controlled, spread
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.parts.controls import ControlsConfig
from gliobench.study.plan.make import make_plan
from gliobench.study.showing.report import report_contents
from gliobench.study.stages.predict import predict
from gliobench.study.stages.score import read_controls, score
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.repair import repair

OWN = '''
from gliobench.grid.slices import grey_slice


class Looks:
    """A box around the half of the columns that is the brighter; nothing that can be read about an empty image."""

    tasks = ["box"]
    per_slice = True

    def predict(self, questions):
        for question in questions:
            image = grey_slice(question.subject, "flair", question.frame.plane, question.frame.index).astype(int)
            rows, half = image.shape[0], image.shape[1] // 2
            first = 0 if image[:, :half].sum() > image[:, half:].sum() else half
            yield (0, first, rows - 1, first + half - 1) if image.any() else "nothing there"


class Blind(Looks):
    """Always the same corner."""

    def predict(self, questions):
        for _ in questions:
            yield (0, 0, 3, 3)
'''
STUDY = """\
name: looking
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 3}
tasks: [grade, box, mask]
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: flair-blob}
  - {kind: python, name: looks, model: "own.py:Looks"}
  - {kind: python, name: blind, model: "own.py:Blind"}
"""
PART = ControlsConfig(patients=3, slices=2)
TABLES = ("per_subject", "summary", "votes", "planned_comparisons")


def scores(context: Context) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(context.folder.scores / f"{name}.parquet") for name in TABLES}


def records(context: Context, model: str) -> list[Record]:
    return list(RecordStore(context.folder.answers(model)).read())


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path
) -> tuple[dict[str, pd.DataFrame], Counter[str], Context]:
    """The scores of a run without controls, how many answers each model gave, and the same run with them."""
    folder = tmp_path_factory.mktemp("looking")
    (folder / "own.py").write_text(OWN)
    (folder / "study.yaml").write_text(STUDY)
    study = read_study(folder / "study.yaml")
    plain = make_context(study, cohort=phantom_cohort, out=folder / "run")
    run_to_scores(plain)
    before, answers = scores(plain), count_answers(plain)
    context = replace(plain, study=study.model_copy(update={"controls": PART}))
    run_to_scores(context)
    return before, answers, context


def count_answers(context: Context) -> Counter[str]:
    return Counter({config.name: len(records(context, config.name)) for config in context.study.models})


def test_only_changed_images_are_asked_about_and_only_of_who_sees_them_alone(runs) -> None:  # type: ignore[no-untyped-def]
    _, before, context = runs
    each = {"majority-grade": 3, "mean-box": 3 * 2, "flair-blob": 3, "looks": 3 * 2, "blind": 3 * 2}
    assert count_answers(context) - before == {name: 4 * count for name, count in each.items()}
    asked = [record for record in records(context, "looks") if record.control]
    assert Counter(record.control for record in asked) == dict.fromkeys(CONTROLS, 6)
    assert {record.control for record in asked if "control" in record.oracle} == {"filled"}


def test_who_is_led_by_the_truth_or_by_others_is_not_asked(tmp_path: Path) -> None:
    led = """\
  - {kind: segmenter, name: sam-untrained, checkpoint: tiny-sam, from: truth}
  - {kind: segmenter, name: led-untrained, checkpoint: tiny-sam, from: looks}
  - {kind: classical, name: told-where, region: truth}
  - {kind: classical, name: finds-itself}
  - {kind: ensemble, name: half-told, of: [told-where, finds-itself]}
"""
    (tmp_path / "study.yaml").write_text(STUDY + led)
    study = read_study(tmp_path / "study.yaml")
    alone = {config.name for config in study.models if config.sees_image_alone(study)}
    assert {config.name for config in study.models} - alone == {
        *("sam-untrained", "led-untrained", "told-where", "half-told")
    }


def test_no_other_figure_changes(runs) -> None:  # type: ignore[no-untyped-def]
    before, _, context = runs
    for name, table in scores(context).items():
        pd.testing.assert_frame_equal(table, before[name])


def test_the_plan_counts_what_is_asked(runs) -> None:  # type: ignore[no-untyped-def]
    *_, context = runs
    plan = make_plan(context)
    planned = {step.model: step.questions.value for step in plan.steps if step.stage == "predict" and step.questions}
    assert planned == {config.name: len(records(context, config.name)) for config in context.study.models}


def test_who_does_not_look_is_told_from_who_does(runs) -> None:  # type: ignore[no-untyped-def]
    *_, context = runs
    found = read_controls(context)
    assert found is not None
    values = found.figures.set_index(["model", "control", "outcome"])["value"].sort_index()
    assert values["blind"].xs("same", level="outcome").to_dict() == dict.fromkeys(CONTROLS, 1.0)
    assert values["looks", "blank"].to_dict() == {"same": 0, "changed": 0, "unanswered": 1}
    assert values["looks", "flipped", "changed"] == 1, "the brighter half is on the other side of a mirror image"
    assert values["majority-grade", "other", "same"] == 1


def test_mirror_images_are_held_against_the_mirrored_truth(runs) -> None:  # type: ignore[no-untyped-def]
    """A model that does the same with either image is worth the same on both; one fixed corner is not, or by chance."""
    *_, context = runs
    found = read_controls(context)
    assert found is not None
    gaps = found.gaps.set_index("model")
    assert gaps.loc["flair-blob", "own"] == pytest.approx(gaps.loc["flair-blob", "altered"], abs=0.02)
    assert gaps.loc["flair-blob", "own"] > 0.5
    assert gaps.loc["looks", "own"] == pytest.approx(gaps.loc["looks", "altered"])
    assert set(gaps["n_subjects"]) == {3}
    assert set(gaps["metric"]) == {"balanced_accuracy", "dice"}


def test_the_report_says_it_in_words_with_n(runs) -> None:  # type: ignore[no-untyped-def]
    *_, context = runs
    sentences = control_sentences(report_contents(context))
    assert [sentence for sentence in sentences if sentence.startswith("blind, box: no answer changed")]
    assert not [sentence for sentence in sentences if sentence.startswith(("looks", "mean-box"))]


def test_a_lost_list_is_made_again_without_asking_and_repair_finds_lost_answers(runs) -> None:  # type: ignore[no-untyped-def]
    *_, context = runs
    path, before = context.folder.controls("looks"), count_answers(context)
    content = path.read_text()
    path.unlink()
    with pytest.raises(StageError, match=r"looks.*`gliobench predict`"):
        score(context)
    predict(context, ["looks"])
    assert path.read_text() == content
    assert count_answers(context) == before
    answers = context.folder.answers("looks")
    whole = answers.read_text()
    answers.write_text("".join(line for line in whole.splitlines(keepends=True) if '"filled"' not in line))
    assert any("looks: 6 of" in sentence for sentence in repair(context.folder.root))
    predict(replace(context), ["looks"])
    assert count_answers(context) == before


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("true", ControlsConfig()),
        ("false", None),
        ("{patients: 5, images: [blank]}", ControlsConfig(patients=5, images=("blank",))),
    ],
)
def test_a_study_file_says_so_in_a_word_or_in_detail(tmp_path: Path, written: str, read: ControlsConfig | None) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "study.yaml").write_text(f"{STUDY}controls: {written}\n")
    study = read_study(tmp_path / "study.yaml")
    assert study.controls == read
    assert ("controls" in study.model_dump()) == (read is not None), "earlier fingerprints stay as they were"


def test_an_unknown_control_is_told_who_there_is(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(f"{STUDY}controls: {{images: [upside-down]}}\n")
    with pytest.raises(StudyError, match=r"no control is named upside-down; there are blank, other, flipped, filled"):
        read_study(tmp_path / "study.yaml")


def test_patients_are_drawn_with_their_classes_in_turn() -> None:
    classes = {**{f"high {place}": 1 for place in range(8)}, **{f"low {place}": 0 for place in range(2)}}
    drawn = controlled(classes, 5, seed=3)
    assert Counter(classes[id] for id in drawn) == {1: 3, 0: 2}
    assert drawn == controlled(classes, 5, seed=3) != controlled(classes, 5, seed=4)
    assert set(controlled(classes, 20, seed=3)) == set(classes)


def test_slices_are_taken_evenly() -> None:
    assert spread([10, 20, 30, 40, 50, 60, 70, 80, 90], 3) == [20, 50, 80]
    assert spread([10, 20, 30, 40], 1) == [30]
    assert spread([4, 7], 3) == [4, 7]


def test_test_patients_that_a_checkpoint_has_seen_are_named(runs) -> None:  # type: ignore[no-untyped-def]
    *_, context = runs
    from gliobench.study.kinds.segmenter import SegmenterConfig
    from gliobench.study.showing.pretrained import pretrained

    seen = [context.tested[1], "somebody else"]
    entry = {"kind": "segmenter", "name": "sam", "checkpoint": "facebook/sam-vit-base", "from": "truth", "seen": seen}
    models = (*context.study.models, SegmenterConfig.model_validate(entry))
    (found,) = pretrained(replace(context, study=context.study.model_copy(update={"models": models})))
    assert (found.model, found.checkpoint, found.tested) == ("sam", "facebook/sam-vit-base", (context.tested[1],))
    assert SegmenterConfig.model_validate({**entry, "seen": "none"}).declared == ("facebook/sam-vit-base", "none")
