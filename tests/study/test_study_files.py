"""Every study file of the project can be read, and so can the prompts that it names."""

import re
from pathlib import Path

import pytest
import yaml

from gliobench.cli.app import app
from gliobench.cohort.problem import GLIOMA
from gliobench.models.views.view import View
from gliobench.study.config.replay import is_replication, read_replication
from gliobench.study.config.study import read_study
from gliobench.study.kinds.network import NetworkConfig
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.tasks.prompt_file import packaged_prompts, read_prompt_file

STUDIES = Path(__file__).resolve().parents[2] / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_is_read_and_is_named_like_its_file(path: Path) -> None:
    study = read_replication(path) if is_replication(path) else read_study(path)
    assert study.name == path.stem
    for config in getattr(study, "models", ()):
        if isinstance(config, LanguageModelConfig) and config.prompts:
            for task in config.tasks:
                assert read_prompt_file(config.prompts, task).text


def test_the_examples_of_the_verbs_name_models_of_their_studies() -> None:
    text = "".join(str(command.callback.__doc__) for command in app.registered_commands if command.callback)
    examples = re.findall(r"Example: `gliobench \w+ studies/(\S+)(?:.* --model (\S+))?.*`", text)
    assert len(examples) >= 10
    for file, model in examples:
        names = [config.name for config in read_study(STUDIES / file).models]
        assert not model or model in names, (file, names)


def test_the_reference_study_is_asked_as_it_asked() -> None:
    study = read_study(STUDIES / "brats2020.yaml")
    assert study.slices.planes == ("axial", "coronal", "sagittal")
    assert study.consistency is not None
    assert (study.consistency.repeats, study.consistency.task) == (95, "grade")
    language = [config for config in study.models if isinstance(config, LanguageModelConfig)]
    assert {(config.temperature, config.min_p, config.quantisation) for config in language} == {(1.5, 0.1, "4bit")}
    assert {config.view.to_view(GLIOMA) for config in language} == {View(stretch=True)}
    assert study.slices.trim == 20
    tuned = {config.name: config.finetune for config in language if config.finetune}
    assert {one.patients for one in tuned.values()} == {"all"}
    assert [(one.balance_grades, one.trim) for one in tuned.values()] == [
        *[("copies", 20)] * 2,
        *((False, None), (False, 20), (False, None)),  # centre, box and polygon
    ]
    trained = {config.network: config.train for config in study.models if isinstance(config, NetworkConfig)}
    assert (trained["grade-classifier-as-coded"].learning_rate, trained["grade-classifier-as-coded"].epochs) == (
        4e-7,
        200,
    )
    assert (trained["mask-segmenter-as-coded"].learning_rate, trained["mask-segmenter-as-coded"].epochs) == (5e-5, 100)


def test_a_copy_elsewhere_asks_in_the_very_words_of_the_studys_notebooks(tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    copy.write_text((STUDIES / "brats2020.yaml").read_text())
    prompts = {
        (config.name, task): read_prompt_file(config.prompts, task)
        for config in read_study(copy).models
        if isinstance(config, LanguageModelConfig) and config.prompts
        for task in config.tasks
    }
    assert {prompt.name.partition("#")[0] for (name, _), prompt in prompts.items() if "grade" not in name} == {
        "reference-study-notebooks"
    }
    # What tells the notebooks' words from the report's.
    assert "must be formatted strictly as:(row, col) where" in prompts["llama-general", "centre"].text
    box = prompts["llama-general", "box"].text.splitlines()
    assert (
        box[2] == "The tumor region is the brightest, high-intensity abnormality distinct from normal brain structures."
    )
    polygon = prompts["llama-general", "polygon"]
    assert polygon.text.splitlines()[4] == "    For the other provided image, the query image, what is the output?"
    assert [prompts["llama-general", task].max_new_tokens for task in ("grade", "centre", "box", "polygon")] == [
        *(20, 40, 40, 140)
    ]


@pytest.mark.realdata
def test_the_prompts_are_the_reference_studys_to_the_letter(shared: Path) -> None:
    given = yaml.safe_load((shared / "replication" / "prompts.yaml").read_text())
    for task in ("grade", "centre", "box", "polygon"):
        prompt = read_prompt_file(packaged_prompts()["reference-study"], task)
        assert (prompt.text, prompt.max_new_tokens) == (given[task]["text"], given[task]["max_new_tokens"])
    tuned = read_prompt_file(packaged_prompts()["reference-study-finetuned"], "grade")
    assert tuned.text == given["grade_finetuned"]["text"]
