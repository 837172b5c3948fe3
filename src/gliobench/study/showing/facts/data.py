"""Facts on patients and their data."""

from gliobench.grid.prepared import PreparedSubject
from gliobench.study.asking.questions import without_truth
from gliobench.study.parts.neutral import json_words, option_words
from gliobench.study.showing.facts.run import Run, sentences


def cohort(run: Run) -> str:
    """The data set, its layout and its size."""
    patients, scans = set(run.context.patients.values()), run.context.patients
    size = f"{len(patients)} patients" + (f" with {len(scans)} scans" if len(scans) != len(patients) else "")
    return sentences([f"{run.contents.cohort}: {size} used", *run.context.cohort_notes])


def flow(run: Run) -> str:
    """Who was found, left out and why, and in which part."""
    return "" if run.contents.flow is None else run.contents.flow.words


def images(run: Run) -> str:
    """The images of every patient."""
    return sentences([f"Images of each patient: {', '.join(one.title for one in run.context.study.problem.images)}"])


def preprocessing(run: Run) -> str:
    """The common grid."""
    grid = run.context.study.grid
    widths = sorted(width for one in run.context.subjects.values() for width in one.spacing_mm)
    return sentences(
        [
            f"Every scan resampled to a grid of {' x '.join(map(str, grid.shape))} voxels (preset "
            f"{option_words(grid.preset, run.context.study.problem)}), voxels of {widths[0]:.2f} to {widths[-1]:.2f} mm"
        ]
    )


def slices(run: Run) -> str:
    """Which slices are asked about; nothing where no model answers about slices."""
    study = run.context.study
    if not any(config.spoken_tasks for config in study.models):
        return ""
    settings = study.slices.model_dump(mode="json", exclude_none=True)
    return f"Slices asked about: {json_words(settings, study.problem)}"


def missing(run: Run) -> str:
    """What becomes of images, truths and answers that are missing."""
    problem = run.context.study.problem
    without = {"refused": "are left out", "filled": "are used, with background in their place"}[problem.missing]
    absent = {"refused": "are left out", "allowed": "are used"}[problem.absent]
    tested = [run.context.subjects[id] for id in run.context.tested]
    return sentences(
        [
            f"Patients who lack an image {without}; patients without {problem.finding_words} in their mask {absent}",
            *without_truth(tested, run.context.study.tasks),
            "A question without a usable answer stays in the denominator and counts against the model",
        ]
    )


def truth(run: Run) -> str:
    """How many patients have a mask and a class."""
    subjects, problem = list(run.context.subjects.values()), run.context.study.problem
    return sentences(
        [
            f"As the data set gives it: masks of {problem.finding_words} for {sum(map(_masked, subjects))} of "
            f"{len(subjects)} scans",
            f"{problem.asked} for {sum(one.grade is not None for one in subjects)} of {len(subjects)}"
            if problem.classes
            else "",
        ]
    )


def _masked(subject: PreparedSubject) -> bool:
    return subject.labels is not None


def categories(run: Run) -> str:
    """The classes of the reference standard."""
    problem = run.context.study.problem
    if not problem.classes:
        return ""
    positive = f"; positive: {problem.classes[problem.positive_class]}" if not problem.several else ""
    return sentences([f"{problem.asked}: {', '.join(problem.classes)}{positive}"])


def split(run: Run) -> str:
    """How patients were assigned to parts."""
    found, config = run.context.split, run.context.study.split
    how = "cross-validation" if found.crossed else f"test share {config.test_share:g}" if config.file is None else ""
    folds = f"{len(found.folds)} folds, in use: {', '.join(map(str, run.context.folds))}"
    seed = "" if found.seed is None else f"seed {found.seed}"
    parts = (f"Split {found.source}", how, folds, seed, f"SHA-256 of the split {found.checksum}")
    return sentences(["; ".join(filter(None, parts))])


def disjoint(run: Run) -> str:
    """The level at which parts are disjoint."""
    return (
        "By patient: all scans of a patient lie in one part. A split with an overlap is refused, and so are the same "
        "images under two ids, and models trained on test patients as far as their training patients are known."
    )


def classes(run: Run) -> str:
    """How many patients each part has, and of which class."""
    from gliobench.report.words import by_class

    counted = [(part, by_class(run.contents.problem, part)) for part in run.contents.parts]
    return sentences(
        ["; ".join(f"{part.name}: {part.n} patients" + (f" ({own})" if own else "") for part, own in counted)]
    )


def tested(run: Run) -> str:
    """How many patients are tested."""
    patients = {run.context.patients[id] for id in run.context.tested}
    external = "" if run.context.split.crossed else ", from the same data set as the training patients"
    return sentences([f"{len(patients)} test patients{external}"])


FACTS = (cohort, flow, images, preprocessing, slices, missing, truth, categories, split, disjoint, classes, tested)
