"""Prompts: the project's own, and those of a file."""

import re
from pathlib import Path

import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import SliceFrame
from gliobench.grid.regions import BRATS_REGIONS, WHOLE, Region, region_of_label
from gliobench.models.views.asking import prompt_identity
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.prompt_file import PromptError, named_prompts, packaged_prompts, read_prompt_file
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 3, (95, 128), (1.0, 1.0))


def test_every_task_has_its_own_prompt() -> None:
    assert list(TASKS) == ["grade", "centre", "box", "polygon", "mask"]
    for name, task in TASKS.items():
        assert (task.name, task.prompt.name, task.prompt.version) == (name, name, "1")
        assert task.prompt.max_new_tokens >= 16
        assert not re.search(r"[{}]", task.prompt.about(FRAME))
        if name != "grade":
            assert "95 rows by 128 columns" in task.prompt.about(FRAME)


def test_no_prompt_of_ours_holds_an_answer() -> None:
    """An echo of the prompt must never be read as an answer."""
    for task in TASKS.values():
        text = task.prompt.about(FRAME)
        assert type(task.parse(text, FRAME, False)).__name__ == "Malformed", task.name


def test_other_braces_are_left_alone() -> None:
    prompt = Prompt("own", "1", 'Answer {"row": r} in {rows}x{columns} {0} {}', 8)
    assert prompt.about(FRAME) == 'Answer {"row": r} in 95x128 {0} {}'


def test_sets_of_the_package_are_chosen_by_name() -> None:
    assert list(packaged_prompts()) == [
        *("expert", "form"),
        *("reference-study", "reference-study-finetuned", "reference-study-notebooks"),
        "terse",
    ]
    named = named_prompts(Path("reference-study#grade"))
    assert named is not None
    assert read_prompt_file(named, "centre").name == "reference-study#grade"
    assert named_prompts(Path("mine.yaml")) is None
    assert named_prompts(Path("prompts/reference-study")) is None


def test_a_plain_text_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("Where is it, in {rows} rows?\n", "utf-8")
    prompt = read_prompt_file(file, "centre")
    assert prompt.name == "mine"
    assert prompt.text == "Where is it, in {rows} rows?"
    assert prompt.max_new_tokens == TASKS["centre"].prompt.max_new_tokens
    assert re.fullmatch(r"sha256:[0-9a-f]{12}", prompt.version)
    file.write_text("Where is it?", "utf-8")
    assert read_prompt_file(file, "centre").version != prompt.version


def test_a_yaml_file_by_task_by_key_and_by_fragment(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("grade: {text: 'LGG or HGG?'}\nsecond: {text: 'Which?', max_new_tokens: 5, version: 3}\n", "utf-8")
    assert read_prompt_file(file, "grade").text == "LGG or HGG?"
    second = Prompt("own#second", "3", "Which?", 5)
    assert read_prompt_file(file, "grade", "second") == second
    assert read_prompt_file(tmp_path / "own.yaml#second", "grade") == second


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("grade: [", "own.yaml:1: "),
        ("[1, 2]", "'grade'"),
        ("box: {text: Where}", r"'grade' \(found box\)"),
        ("grade: {max_new_tokens: 5}", "own#grade"),
        ("grade: {text: A, max_new_tokens: 0}", "max_new_tokens of own#grade .* 0"),
        ("grade: {text: A, max_new_tokens: many}", "max_new_tokens of own#grade .* 'many'"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, found: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(PromptError, match=found):
        read_prompt_file(file, "grade")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"none\.txt: "):
        read_prompt_file(tmp_path / "none.txt", "grade")


@pytest.mark.realdata
def test_the_reference_studys_prompts(shared: Path) -> None:
    file = shared / "replication" / "prompts.yaml"
    limits = {task: read_prompt_file(file, task).max_new_tokens for task in ("grade", "centre", "box", "polygon")}
    assert limits == {"grade": 20, "centre": 40, "box": 40, "polygon": 140}
    tuned = read_prompt_file(Path(f"{file}#grade_finetuned"), "grade")
    assert tuned.name == "prompts#grade_finetuned"
    assert tuned.text.endswith("Respond only in the following format: Choice: <0, 1, or 2>.")
    for task in ("grade", "centre", "box", "polygon"):
        prompt = read_prompt_file(file, task)
        assert type(TASKS[task].parse(prompt.text, FRAME, False)).__name__ == "Malformed", task


@pytest.mark.parametrize("region", [BRATS_REGIONS["core"], BRATS_REGIONS["enhancing"], region_of_label(1, "dark part")])
def test_prompts_of_a_region_name_it_and_nothing_else_and_hold_no_answer(region: Region) -> None:
    for name, task in TASKS.items():
        text = task.prompt_about(region).about(FRAME)
        assert (f"the {region.words}" in text) == (name != "grade")
        assert not re.search(r"[{}]|oedema included|whole (tumour|glioma)", text)
        assert type(task.parse(text, FRAME, False)).__name__ == "Malformed", name


def test_of_the_whole_tumour_the_prompts_are_what_they_were() -> None:
    for task in TASKS.values():
        assert task.prompt_about(WHOLE) == task.prompt


def test_a_prompt_of_ones_own_can_have_the_region_put_in(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("Where is {region}, in {rows} rows?", "utf-8")
    prompt = read_prompt_file(file, "centre")
    dark = prompt.of(region_of_label(1, "the dark part"), GLIOMA)
    assert dark.about(FRAME) == "Where is the dark part, in 95 rows?"
    assert prompt.of(WHOLE, GLIOMA).about(FRAME) == "Where is the whole glioma, oedema included, in 95 rows?"
    assert dark.version == prompt.version  # the text is in the key too
    assert prompt_identity(dark, 8) != prompt_identity(prompt.of(WHOLE, GLIOMA), 8)
