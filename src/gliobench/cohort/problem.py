"""What a study is about: the images of a patient, the classes to tell apart, and what is localised.

All that is special to one disease stands here. `GLIOMA` is the default; a study file may name another of `PROBLEMS`,
which packages add to by the entry point `gliobench.problems`, or write its own (`problem:`).
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from gliobench.plugins import Registry
from gliobench.ranges import Real, Text, Whole, once

STRICT = ConfigDict(extra="forbid")
MOST_CLASSES = 9  # with the answer that there is none, a choice stays one digit
# What of a problem decides who is read, and what a report says, but no answer.
REPORTED = frozenset({"name", "finding", "ordered", "unknown", "absent", "missing", "structures", "cautions"})
RESERVED = frozenset(  # columns of tables
    {"id", "patient", "subject", "session", "grade", "class", "mask", "seg", "label", "labels", "part", "fold"}
)
OF_VOTES = frozenset(  # columns of the table of votes beside those of the classes
    {"model", "plane", "subject", "patient", "grade", "unanswered", "gldr", "predicted", "score", "aggregate"}
)
WORD = r"^[A-Za-z0-9][A-Za-z0-9_+-]*$"

ImageName = Annotated[str, Field(pattern=WORD, max_length=40)]
ClassName = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 _+./-]*[A-Za-z0-9+])?$", max_length=60)]
Label = Annotated[Whole, Field(ge=1, le=255)]


@dataclass(frozen=True, config=STRICT)
class Image:
    """One image of a patient.

    `window`: the intensities that become the darkest and the brightest grey, such as Hounsfield units; None:
    percentiles of each patient's own. `words`: its name in prompts and reports, by default the name itself.
    """

    name: ImageName
    window: tuple[Real, Real] | None = None
    words: str = ""

    @model_validator(mode="after")
    def _window_rises(self) -> Self:
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError(f"{self.name}: window {list(self.window)}: the lower end comes first")
        return self

    @property
    def title(self) -> str:
        return self.words or self.name


@dataclass(frozen=True, config=STRICT)
class NamedRegion:
    """A part of the target: the mask's labels that make it. `title`: its name in reports, by default the name itself;
    `words`: in prompts, after "the", by default the title."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9 _-]*$", max_length=40)]
    labels: Annotated[tuple[Label, ...], Field(min_length=1)]
    title: str = ""
    words: str = ""


def _column(name: str) -> str:
    return re.sub("[^a-z0-9]", "_", name.lower())


def with_article(noun: str) -> str:
    """`a tumour`, `an adenoma`."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _named(key: str) -> Any:
    """From a mapping by name, as study files have it, to the items with their names; `key`: of a plain value."""

    def items(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return tuple(
            {"name": name, **one} if isinstance(one, Mapping) else {"name": name} | ({} if one is None else {key: one})
            for name, one in value.items()
        )

    return BeforeValidator(items)


def _pairs(value: Any) -> Any:
    return tuple(value.items()) if isinstance(value, Mapping) else value


@dataclass(frozen=True, config=STRICT)
class Problem:
    """A question about 3D images.

    `images`: those of every patient, in the order of the channels. `classes`: two or more, in the order of their
    numbers from 0; `unknown`: what tables say of patients whose class is not to be used; `positive`: the one whose
    probability is given where there are two, by default the last; `ordered`: whether they are steps of a scale.
    `class_words`: what prompts call each class, by default its name and the target. `asked`: what a class is called:
    grade, class, stage. `target`: what is localised; `finding`: the same in reports, and `whole`: all of it, in
    prompts, by default the target; `scan`: what a slice is of, in prompts. `regions`: parts of the target by the mask's
    labels, nested or not; all labels together are the whole target. `body`: what the grid is fitted to: the voxels that
    are not background, or everything. `bright`: the image in which the target is the brightest, by default the first;
    `differences`: pairs of images whose difference tells something, the first one of contrast uptake; `views`: the
    images that a kind of view shows by default, else the first ones. `absent`: whether patients without the target are
    accepted; `missing`: whether those without some of the images are, with background in their place. `structures`: the
    label of each structure of an RTSTRUCT, or segment of a DICOM-SEG, by its name; others are left out. `consensus`:
    how the masks of several readers become one. `reading`: how classes are written in tables and texts: by their names,
    or also as the WHO's grades and words of gliomas. `prompts`: the set of prompts (`gliobench/tasks/prompts`).
    `cautions`: sentences for every report.
    """

    name: Text
    images: Annotated[tuple[Image, ...], Field(min_length=1, max_length=16), _named("window")]
    classes: Annotated[tuple[ClassName, ...], Field(max_length=MOST_CLASSES)] = ()
    unknown: tuple[str, ...] = ()
    positive: str = ""
    ordered: bool = False
    class_words: tuple[str, ...] = ()
    asked: Text = "class"
    target: Text = "lesion"
    finding: str = ""
    whole: str = ""
    scan: Text = "scan"
    regions: Annotated[tuple[NamedRegion, ...], _named("labels")] = ()
    body: Literal["brain", "foreground", "everything"] = "foreground"
    bright: str = ""
    differences: tuple[tuple[str, str], ...] = ()
    views: Annotated[tuple[tuple[str, tuple[str, ...]], ...], BeforeValidator(_pairs)] = ()
    absent: Literal["refused", "allowed"] = "refused"
    missing: Literal["refused", "filled"] = "refused"
    structures: Annotated[tuple[tuple[Text, Label], ...], BeforeValidator(_pairs)] = ()
    consensus: Literal["majority", "staple"] = "majority"
    reading: Literal["names", "glioma"] = "names"
    prompts: Literal["general", "glioma"] = "general"
    cautions: tuple[str, ...] = ()

    @field_validator("images")
    @classmethod
    def _images_have_names_of_their_own(cls, images: tuple[Image, ...]) -> tuple[Image, ...]:
        once(tuple(image.name.lower() for image in images))
        names = {image.name for image in images}
        if taken := sorted(name for name in names if name.lower() in RESERVED or name.lower().startswith("mask")):
            raise ValueError(f"{', '.join(taken)} is the name of another column of tables: give the image another name")
        return images

    @field_validator("regions")
    @classmethod
    def _regions_have_names_of_their_own(cls, regions: tuple[NamedRegion, ...]) -> tuple[NamedRegion, ...]:
        once(tuple(region.name.lower() for region in regions))
        return regions

    @model_validator(mode="after")
    def _classes_are_told_apart(self) -> Self:
        once(tuple(name.lower() for name in self.classes))
        if len(self.classes) == 1:
            raise ValueError("classes: expected two or more, or none where nothing is classified")
        columns = (*self.class_columns, self.none_column)
        if clash := sorted({one for one in columns if one in OF_VOTES or columns.count(one) > 1}):
            raise ValueError(f"classes: {', '.join(clash)} is the name of another column of tables: rename the class")
        if self.positive and self.positive not in self.classes:
            raise ValueError(f"positive: {self.positive!r} is none of the classes {', '.join(self.classes)}")
        named = {
            self.bright,
            *(name for pair in self.differences for name in pair),
            *(n for _, v in self.views for n in v),
        }
        if unknown := sorted(named - {"", *self.names}):
            raise ValueError(f"no image is named {', '.join(unknown)}; there are {', '.join(self.names)}")
        if self.class_words and len(self.class_words) != len(self.classes):
            raise ValueError(f"class_words: expected {len(self.classes)}, one for each class")
        if other := [name for number, name in enumerate(self.classes) if name.isdigit() and name != str(number)]:
            raise ValueError(
                f"classes: {', '.join(other)}: models answer with a class's number, from 0, for which a name that is "
                "another number is mistaken: write it with a word, such as `stage 1`"
            )
        return self

    @cached_property
    def asked_digest(self) -> str:
        """SHA-256 (hexadecimal) of all that decides what a model is asked and how its answer is read; empty for
        gliomas, whose answers have been kept since before there were other problems."""
        decisive, of_gliomas = (
            {key: value for key, value in asdict(problem).items() if key not in REPORTED} for problem in (self, GLIOMA)
        )
        return "" if decisive == of_gliomas else hashlib.sha256(json.dumps(decisive).encode()).hexdigest()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The images' names in the order of the channels."""
        return tuple(image.name for image in self.images)

    @property
    def brightest(self) -> str:
        """The image in which the target is the brightest."""
        return self.bright or self.names[0]

    def shown_in(self, view: str, count: int) -> tuple[str, ...]:
        """The images that a view of `count` images shows by default; fewer where the problem has not as many."""
        return dict(self.views).get(view) or self.names[:count]

    def image_words(self, image: str) -> str:
        """What prompts and reports call an image."""
        return self.images[self.channel(image)].title

    def channel(self, image: str) -> int:
        """The channel of an image. Raises ValueError for one that the problem has not."""
        if image not in self.names:
            raise ValueError(f"no image is named {image!r}; the problem {self.name} has {', '.join(self.names)}")
        return self.names.index(image)

    @property
    def labels(self) -> frozenset[int]:
        """All labels that a mask may hold, beside 0; without regions any."""
        return frozenset(label for region in self.regions for label in region.labels) or frozenset(range(1, 256))

    @property
    def count(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def none(self) -> int:
        """The number of the answer that there is no target: the next after the classes'."""
        return self.count

    @property
    def finding_words(self) -> str:
        """What reports call the target."""
        return self.finding or self.target

    @property
    def foreground(self) -> str:
        """What is not background, and what the preset and the selection of slices that keep it are called."""
        return "brain" if self.body == "brain" else "foreground"

    @property
    def no_target(self) -> str:
        """How an answer without the target is written."""
        return f"no {self.target}"

    @property
    def positive_class(self) -> int:
        """The class whose probability is given where there are two."""
        return self.classes.index(self.positive) if self.positive else len(self.classes) - 1

    @property
    def class_columns(self) -> tuple[str, ...]:
        """The column of each class in the table of votes."""
        return tuple(map(_column, self.classes))

    @property
    def none_column(self) -> str:
        """The column of the answer that there is no target in the table of votes."""
        return f"no_{_column(self.target)}"

    @property
    def several(self) -> bool:
        """Whether there are more than two classes."""
        return len(self.classes) > 2

    @property
    def classes_word(self) -> str:
        """The plural of `asked`."""
        return f"{self.asked}es" if self.asked.endswith("s") else f"{self.asked}s"

    def class_name(self, number: int | None) -> str:
        """The name of a class, "unknown" for None, and of the answer that there is no target."""
        if number is None:
            return "unknown"
        return self.no_target if number == self.none else self.classes[number]

    def counted(self, numbers: Sequence[int | None]) -> str:
        """How many there are of each class, such as `3 LGG and 5 HGG`."""
        *first, last = [f"{numbers.count(number)} {name}" for number, name in enumerate(self.classes)]
        return f"{', '.join(first)} and {last}"

    def words_of_class(self, number: int) -> str:
        """What a prompt calls a class, or the answer that there is no target."""
        if number == self.none:
            return self.no_target
        return self.class_words[number] if self.class_words else f"{self.classes[number]} {self.target}"


GLIOMA = Problem(
    name="glioma",
    images={
        "flair": {"words": "FLAIR"},
        "t1": {"words": "T1"},
        "t1ce": {"words": "T1 with contrast agent"},
        "t2": {"words": "T2"},
    },  # type: ignore[arg-type]
    classes=("LGG", "HGG"),
    ordered=True,
    class_words=("a low grade glioma", "a high grade glioma"),
    asked="grade",
    target="glioma",
    finding="tumour",
    whole="whole glioma, oedema included",
    scan="brain MRI",
    regions=(
        NamedRegion(
            "core",
            (1, 3, 4),
            "tumour core",
            "core of the glioma (its enhancing, necrotic and other solid parts, without oedema)",
        ),
        NamedRegion(
            "enhancing", (3, 4), "enhancing tumour", "enhancing part of the glioma (bright on T1 after contrast agent)"
        ),
        NamedRegion("oedema", (2,)),
    ),
    body="brain",
    bright="flair",
    differences=(("t1ce", "t1"), ("flair", "t2"), ("t1ce", "flair")),
    views={"rgb": ("t1ce", "t2", "flair"), "mosaic": ("t1", "t1ce", "t2", "flair")},  # type: ignore[arg-type]
    reading="glioma",
    prompts="glioma",
)
NODULES = Problem(
    name="nodules",
    images={"ct": {"words": "CT"}},  # type: ignore[arg-type]
    classes=("benign", "indeterminate", "malignant"),
    ordered=True,
    class_words=("a benign nodule", "a nodule of indeterminate malignancy", "a malignant nodule"),
    target="nodule",
    scan="chest CT",
    regions={"nodule": [1]},  # type: ignore[arg-type]
    body="everything",
)
PROBLEMS = Registry[Problem]("problems", {problem.name: problem for problem in (GLIOMA, NODULES)})
