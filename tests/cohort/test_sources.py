"""Where a scan comes from: a table's column, a BraTS id, or `name_mapping.csv`."""

from pathlib import Path

import pytest

from gliobench.cohort.read import find_cohort
from gliobench.cohort.sources import source_in, with_sources
from gliobench.cohort.subject import Subject

SHARED = Path(__file__).parents[3] / "shared"


def scan(id: str, **variables: str) -> Subject:
    return Subject(id, None, {}, None, variables=variables)


def sources(subjects: list[Subject], root: Path) -> list[str | None]:
    return [one.variables.get("source") for one in with_sources(subjects, root)]


@pytest.mark.parametrize(
    ("id", "source"),
    [
        ("BraTS19_TCIA10_310_1", "TCIA10"),
        ("Brats18_CBICA_AAB_1", "CBICA"),
        ("Brats17_2013_10_1", "2013"),
        ("TCGA-CS-4942", "TCGA-CS"),
        ("TCGA-02-0006_1996.08.23", "TCGA-02"),
        ("BraTS20_Training_158", None),
        ("BraTS2021_00000", None),
        ("TCGA-CS-49421", None),
    ],
)
def test_the_source_in_an_id(id: str, source: str | None) -> None:
    assert source_in(id) == source


def test_a_column_of_the_table_comes_before_the_ids(tmp_path: Path) -> None:
    subjects = [scan("BraTS19_TCIA10_310_1", Site="Oslo"), scan("BraTS19_TCIA10_311_1", Site="NA")]
    assert sources(subjects, tmp_path) == ["Oslo", None]


def test_a_source_comes_before_a_site(tmp_path: Path) -> None:
    assert sources([scan("A", site="Oslo", source="archive")], tmp_path) == ["archive"]


def test_the_name_mapping_gives_the_newest_name_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "name_mapping.csv").write_text(
        "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID,"
        "BraTS_2020_subject_ID\n"
        "HGG,Brats17_TCIA_425_1,Brats18_TCIA01_425_1,TCGA-02-0006,BraTS19_TCIA01_425_1,BraTS20_Training_158\n"
        "LGG,NA,NA,TCGA-DU-7010,NA,BraTS20_Training_300\n"
        "HGG,NA,NA,NA,NA,BraTS20_Training_301\n"
    )
    subjects = [scan(f"BraTS20_Training_{number}") for number in (158, 300, 301, 302)]
    assert sources(subjects, tmp_path) == ["TCIA01", "TCGA-DU", None, None]
    assert sources(subjects, tmp_path / "subjects.csv")[0] == "TCIA01"  # beside a table


@pytest.mark.realdata
def test_sources_of_real_patients() -> None:
    if not (SHARED / "cohort_1mm").is_dir():
        pytest.skip("../shared is not here")
    found = find_cohort(SHARED / "cohort_1mm").subjects
    hgg = [one.variables["source"] for one in found if one.grade == 1]
    lgg = [one.variables["source"] for one in found if one.grade == 0]
    assert (hgg, lgg) == (["TCIA01", "TCIA01", "TCIA02", "TCIA03"], ["TCIA09"] * 4)
