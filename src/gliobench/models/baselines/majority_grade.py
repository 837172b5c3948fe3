"""Always the commoner grade of the training patients."""

from collections.abc import Sequence

from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.geometry import Grade
from gliobench.tasks.grade import GRADE


def majority_grade(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """HGG where at least half of the training patients of known grade are HGG; their proportion is the score."""
    grades = [subject.grade for subject in train if subject.grade is not None]
    share = grades.count(HGG) / len(grades) if grades else 1.0
    grade = Grade(HGG if share >= 0.5 else LGG)
    return Rule("majority-grade", frozenset({GRADE.name}), False, {"share_hgg": share}, lambda question: grade, share)
