"""Stage `prepare`: every patient of the cohort to the common grid, checked and stored once."""

from dataclasses import asdict
from typing import Any

from gliobench.cohort.read import find_cohort, patient_notes
from gliobench.cohort.subject import Cohort
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.recipe import Recipe
from gliobench.grid.store import StoreError, open_subject, prepare_cohort
from gliobench.integrity import write_json
from gliobench.study.config.study import Study
from gliobench.study.parts.stage import Stage
from gliobench.study.state.columns import check_subgroups
from gliobench.study.state.context import Context, StageError, read_prepared
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.windows import NO_WINDOWS, find_study_windows, windows_digest, without_unknown

CHECKS_VERSION = 2  # goes up with every change after which other patients are refused


def prepare(context: Context) -> None:
    """Check and prepare all patients. Raises CohortError listing every invalid patient, unless `skip_bad`."""
    cohort, folder = find_cohort(context.cohort, context.study.problem), context.study.grid.windows
    check_subgroups(context.study, [subject.variables for subject in cohort.subjects])
    inputs = prepare_inputs(context, cohort)
    with context.stage(Stage("prepare"), inputs, lambda: [context.folder.prepared], sound=_stored(context)) as to_do:
        if not to_do:
            return
        context.voice.say(f"{cohort.root}: {patients_and_scans(cohort)}, recognised as {cohort.layout}")
        windows = find_study_windows(cohort, folder) if folder else NO_WINDOWS
        cohort = without_unknown(cohort, windows)
        with context.voice.bar("prepare", len(cohort.subjects)) as advance:
            subjects, left_out = prepare_cohort(
                cohort,
                recipe(context.study),
                context.store,
                windows=windows.known,
                skip_bad=context.skip_bad,
                workers=context.workers,
                progress=lambda done, total: advance(done, "patients"),
            )
        content = {
            "cohort": cohort.name,
            "layout": cohort.layout,
            "root": str(cohort.root.resolve()),
            "subjects": [_entry(one) for one in subjects],
            "left_out": [asdict(fault) for fault in (*left_out, *windows.unknown)],
            "notes": (notes := [*cohort.notes, *windows.notes, *patient_notes({s.id: s.findings for s in subjects})]),
        }
        write_json(context.folder.prepared, content)
        for note in notes:
            context.voice.say(note)
        for fault in (*left_out, *windows.unknown):
            context.voice.say(f"left out: {fault}")


def prepare_inputs(context: Context, cohort: Cohort) -> str:
    """Fingerprint of everything that decides what is prepared."""
    folder = context.study.grid.windows
    told = {"windows": windows_digest(folder)} if folder else {}
    return fingerprint(
        files=_files(cohort),
        grid=context.study.grid.model_dump(),
        skip_bad=context.skip_bad,
        store=context.store,
        checks=CHECKS_VERSION,
        **told,
    )


def _entry(subject: PreparedSubject) -> dict[str, Any]:
    variables = {"variables": dict(subject.variables)} if subject.variables else {}
    return {"id": subject.id, "content": subject.content, "patient": subject.patient, **variables}


def _stored(context: Context) -> bool:
    """Whether every patient that was prepared is still in the store, every byte as it was written."""
    try:
        for entry in read_prepared(context.folder)["subjects"]:
            open_subject(context.store / entry["content"])
    except StageError:
        return False
    except StoreError as error:
        context.voice.say(f"prepare: {error}")
        return False
    return True


def recipe(study: Study) -> Recipe:
    """The grid of a study."""
    return Recipe(preset=study.grid.preset, shape=study.grid.shape)


def _files(cohort: Cohort) -> list[tuple[str, int, int]]:
    """Path, size and modification time of every file of the cohort, its grades, how its masks are relabelled, whose its
    scans are, and what is noted of it: cheap, and enough to see a change."""
    paths = {image.path for subject in cohort.subjects for image in subject.images.values()}
    paths |= {subject.mask for subject in cohort.subjects if subject.mask is not None}
    grades = [(subject.id, -1 if subject.grade is None else subject.grade, 0) for subject in cohort.subjects]
    relabelled = [(subject.id, old, new) for subject in cohort.subjects for old, new in sorted(subject.relabel.items())]
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(paths)]
    faults = [(str(fault), 0, 0) for fault in (*cohort.faults, *cohort.notes)]
    said = [(f"{one.id} {key} {value}", 0, 0) for one in cohort.subjects for key, value in one.variables.items()]
    whose = [(f"{one.id} of {one.patient}", 0, 0) for one in cohort.subjects if one.patient != one.id]
    return grades + relabelled + stats + faults + whose + said


def patients_and_scans(cohort: Cohort) -> str:
    """How many patients a cohort has, and how many scans where these are more."""
    scans, patients = len(cohort.subjects), len({subject.patient for subject in cohort.subjects})
    return f"{patients} patients" + (f" ({scans} scans)" if scans != patients else "")
