"""Who stands for a camp is chosen on validation patients, whatever the test patients say; and the camps against one
another, from the study file to the page."""

from pathlib import Path

import pandas as pd
import pytest

from gliobench.integrity import read_json, write_json
from gliobench.scoring.compare import compare_named
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.run import STAGES
from gliobench.study.stages.camps import _Choice, _composed, planned_comparisons
from gliobench.study.stages.in_sample import FIGURES
from gliobench.study.stages.score import read_planned, read_scores
from gliobench.study.state.context import Context, make_context

OWN = """\
class Box:
    tasks, per_slice, part = {"box"}, True, 3
    def predict(self, questions):
        for question in questions:
            rows, columns = (size // self.part for size in question.frame.shape)
            yield rows, columns, (self.part - 1) * rows, (self.part - 1) * columns

class Wider(Box):
    part = 4
"""
STUDY = """\
name: camps
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 4}
tasks: [grade, box, mask]
models:
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: flair-blob}
  - {kind: baseline, name: majority-grade}
  - {kind: network, name: longer, network: mask-segmenter, train: {epochs: 6, learning_rate: 3.0e-3}}
  - {kind: network, name: shorter, network: mask-segmenter, train: {epochs: 1, learning_rate: 3.0e-3}}
  - {kind: python, name: asked, model: own.py:Box, camp: general}
  - {kind: python, name: tuned, model: own.py:Wider, camp: fine-tuned}
  - {kind: python, name: no-camp, model: own.py:Wider}
"""


def context_of(folder: Path, cohort: Path, text: str, out: Path | None = None) -> Context:
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(OWN)
    (folder / "study.yaml").write_text(text)
    return make_context(read_study(folder / "study.yaml"), cohort=cohort, out=out or folder / "run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    context = context_of(tmp_path_factory.mktemp("camps"), phantom_cohort, STUDY)
    for name in ("prepare", "split", "train", "predict", "score"):
        STAGES[name](context)
    return context


def dice(context: Context, model: str) -> float:
    table = read_scores(context).summary
    rows = table[(table["model"] == model) & (table["task"] == "mask") & (table["metric"] == "dice")]
    return float(rows["value"].item())


def pairs(table: pd.DataFrame, task: str) -> list[tuple[str, str]]:
    own = table[table["task"] == task]
    return list(zip(own["model_a"], own["model_b"], strict=True))


def test_camps_meet_one_another_and_the_best_trivial_baseline(finished: Context) -> None:
    table = read_planned(finished).comparisons
    assert pairs(table, "box") == [
        ("tuned", "asked"),
        ("longer", "asked"),
        ("longer", "tuned"),
        ("asked", "flair-blob"),
        ("tuned", "flair-blob"),
        ("longer", "flair-blob"),
    ]
    assert pairs(table, "mask") == pairs(table, "box")  # stacks of boxes are masks
    assert "no-camp" not in {*table["model_a"], *table["model_b"]}
    assert table.loc[table["task"] == "grade"].empty  # a trivial baseline alone


def test_the_choice_is_validations_where_the_test_patients_say_otherwise(
    finished: Context, phantom_cohort: Path
) -> None:
    """The figures on validation patients are turned round; those on test patients stay, and are not looked at."""
    assert dice(finished, "longer") > dice(finished, "shorter")
    paths = [finished.folder.network(name, 0) / FIGURES for name in ("longer", "shorter")]
    left = [read_json(path) for path in paths]
    context = make_context(finished.study, cohort=phantom_cohort, out=finished.folder.root)
    try:
        for path, content in zip(paths, reversed(left), strict=True):
            write_json(path, content)
        planned = planned_comparisons(context, read_scores(context))
    finally:
        for path, content in zip(paths, left, strict=True):
            write_json(path, content)
    assert ("shorter", "flair-blob") in pairs(planned.comparisons, "mask")
    assert "longer" not in set(planned.comparisons["model_a"])
    chosen = planned.choices[planned.choices["chosen"] & (planned.choices["camp"] == "specialised")]
    assert set(chosen["model"]) == {"shorter"}


def test_without_validation_figures_all_of_a_camp_are_compared(finished: Context, phantom_cohort: Path) -> None:
    text = STUDY.replace("name: no-camp, model: own.py:Wider", "name: no-camp, model: own.py:Wider, camp: general")
    context = make_context(_read(finished, text), cohort=phantom_cohort, out=finished.folder.root)
    planned = planned_comparisons(context, read_scores(context))
    assert pairs(planned.comparisons, "box")[:2] == [("tuned", "asked"), ("tuned", "no-camp")]
    rows = planned.choices[(planned.choices["camp"] == "general") & (planned.choices["task"] == "box")]
    assert rows["model"].tolist() == ["asked", "no-camp"]
    assert not rows["chosen"].any()


def _read(finished: Context, text: str) -> Study:
    path = finished.study._path.with_name("other.yaml")
    path.write_text(text)
    return read_study(path)


def test_a_study_file_names_its_own_comparisons(finished: Context, phantom_cohort: Path) -> None:
    study = _read(finished, STUDY + "comparisons: [[no-camp, trivial], [specialised, asked]]\n")
    context = make_context(study, cohort=phantom_cohort, out=finished.folder.root)
    planned = planned_comparisons(context, read_scores(context))
    assert pairs(planned.comparisons, "box") == [("no-camp", "flair-blob"), ("longer", "asked")]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("[longer, neither]", "no model and no camp is named 'neither'"),
        ("[longer, longer]", "longer is compared with itself"),
    ],
)
def test_a_comparison_of_what_is_not_there_is_refused(tmp_path: Path, pair: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(f"{STUDY}comparisons: [{pair}]\n")
    with pytest.raises(StudyError, match=message):
        read_study(tmp_path / "study.yaml")


def test_in_cross_validation_each_round_has_its_own_choice(tmp_path: Path, phantom_cohort: Path) -> None:
    """The validation patients of one round are tested in another, so that each patient is compared as that model
    answered which was chosen in its own round."""
    text = STUDY.replace("{test_share: 0.4, folds: 2, seed: 1}", "{scheme: cross-validation, folds: 2, seed: 1}")
    trained = slice(text.index("  - {kind: network"), text.index("  - {kind: python"))
    text = text.replace(text[trained], "").replace("[grade, box, mask]", "[box, mask]")
    context = context_of(tmp_path, phantom_cohort, text)
    for name in ("prepare", "split", "predict", "score"):
        STAGES[name](context)
    choices = read_planned(context).choices
    assert choices[choices["task"] == "box"]["round"].tolist() == [0, 0, 1, 1]

    scores = read_scores(context)
    choice = _Choice(context, scores)
    choice.composed["box", "both"] = ("mean-box", "flair-blob")  # as if the two rounds had chosen differently
    composed = _composed(context, scores, choice)
    table = composed.per_subject.query("task == 'box' and metric == 'dice'")
    for model, round in zip(("mean-box", "flair-blob"), context.rounds, strict=True):
        both, expected = (
            table[(table["model"] == name) & table["subject"].isin(round.test)]["value"].tolist()
            for name in ("both", model)
        )
        assert both == expected
        assert len(both) == len(round.test)
    compared = compare_named(composed, [("both", "flair-blob")], metrics={"dice"}).set_index("task")
    assert compared.loc["box", "n_subjects"] == len(context.tested)  # those of a box and those of a mask
