"""Classes in the order that their names say."""

import pytest

from gliobench.cohort.draft.class_order import classes_in


@pytest.mark.parametrize(
    ("cells", "names", "ordered"),
    [
        (("malignant", "benign", "indeterminate"), ("benign", "indeterminate", "malignant"), True),
        (("high", "low", "low"), ("low", "high"), True),
        (("10", "9", "2"), ("2", "9", "10"), True),
        (("1.0", "0.0"), ("0.0", "1.0"), True),
        (("Grade III", "Grade I", "grade iii", "Grade III"), ("Grade I", "Grade III"), True),
        (("stage 3", "stage 12", "stage 1"), ("stage 1", "stage 3", "stage 12"), True),
        (("yes", "no"), ("no", "yes"), True),
        (("severe", "none of these"), ("none of these", "severe"), False),
        (("meningioma", "glioma", "adenoma"), ("adenoma", "glioma", "meningioma"), False),
        (("low", "malignant"), ("low", "malignant"), False),  # of two scales
        (("1", "benign"), ("1", "benign"), False),
    ],
)
def test_a_known_scale_goes_from_low_to_high(cells: tuple[str, ...], names: tuple[str, ...], ordered: bool) -> None:
    assert classes_in(cells)[:2] == (names, ordered)


def test_what_is_not_known_is_no_class() -> None:
    assert classes_in(["benign", "Unknown", "", "n/a", "?", "malignant"]) == (
        *(("benign", "malignant"), True, ("?", "Unknown")),
    )
