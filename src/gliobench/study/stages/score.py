"""Stage `score`: all answers of all models about the test patients, with the same metrics for all models."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliobench.cohort.patients import several_scans
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.sources import SOURCE
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import source_digest, write_json, write_whole
from gliobench.plugins import modules_of
from gliobench.records.record import Record
from gliobench.study.asking.aggregate import aggregations
from gliobench.study.asking.answers import answered_items, answers_digest, current_answers, question_lists, read_list
from gliobench.study.asking.consistency import score_consistency
from gliobench.study.asking.control_scores import controls_digest, score_controls
from gliobench.study.asking.conventions import suspicions
from gliobench.study.asking.questions import asked_slices, slices_of_tasks
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.camps import Planned, camps_inputs, planned_comparisons
from gliobench.study.stages.description import describe
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.folder import fingerprint
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.scoring.consistency import Consistency
    from gliobench.scoring.controls import ControlScores
    from gliobench.scoring.score import SubjectScores
    from gliobench.scoring.summary import Scores

SCORE = Stage("score")
TABLES = ("per_subject", "summary", "votes")
PLANNED = {"comparisons": "planned_comparisons", "choices": "camp_choices"}
DESCRIPTION = "study.json"
DECISION = "decision_curve"
CONSISTENCY = {"figures": "consistency", "answers": "consistency_answers"}
CONTROLS = {"figures": "controls", "gaps": "control_gaps"}


def score(context: Context) -> None:
    """Score every answer on its own task and on the coarser ones, and how alike the answers to one input are; leaves
    the tables as Parquet."""
    from gliobench.scoring.decision_curve import decision_curves

    with context.stage(SCORE, scores_inputs(context), lambda: _files(context)) as to_do:
        if not to_do:
            return
        scores, consistency = score_against(context), score_consistency(context)
        planned = planned_comparisons(context, scores)
        tables = {name: getattr(scores, name) for name in TABLES}
        tables |= {file: getattr(planned, name) for name, file in PLANNED.items()}
        if _decides(context):
            tables[DECISION] = decision_curves(scores.summary, scores.votes, context.study.problem)
        if consistency is not None:
            tables |= {file: getattr(consistency, name) for name, file in CONSISTENCY.items()}
        if (controls := score_controls(context)) is not None:
            tables |= {file: getattr(controls, name) for name, file in CONTROLS.items()}
        _write(context, tables)
        write_json(context.folder.scores / DESCRIPTION, describe(context, arithmetic_digest()).model_dump(mode="json"))
        for warning in suspicions(context):
            context.voice.say(warning)


def arithmetic_digest() -> str:
    """SHA-256 of the code that decides the figures of the same answers, other packages' tasks and metrics too."""
    return source_digest("gliobench.scoring", "gliobench.tasks", *modules_of("tasks"), *modules_of("metrics"))


def scores_inputs(context: Context) -> str:
    """Fingerprint of everything that decides the figures."""
    names = [config.name for config in context.answering]
    absent = [name for name in names if not all(path.exists() for path in question_lists(context, name))]
    if absent:
        raise StageError(f"not every question is answered by {', '.join(absent)}: run `gliobench predict` first")
    for name in names:
        _check_tested(context, name)
    several = several_scans({id: context.patients[id] for id in sorted(context.tested)})
    more: dict[str, Any] = {"patients": several} if several else {}  # earlier versions counted them scan by scan
    if sources := {id: found for id in context.tested if (found := context.subjects[id].variables.get(SOURCE))}:
        more["sources"] = sources
    if context.study.problem != GLIOMA:
        more["problem"] = asdict(context.study.problem)
    if context.study.controls:
        more["controls"] = controls_digest(context)
    return fingerprint(
        **more,
        arithmetic=arithmetic_digest(),
        planned=camps_inputs(context),
        answers={name: answers_digest(context, name) for name in names},
        test=[context.subjects[id].content for id in context.tested],
        grades=[context.subjects[id].grade for id in context.tested],
        slices=context.study.slices.model_dump(),
        consistency=context.study.consistency.model_dump() if context.study.consistency else None,
        aggregate={config.name: getattr(config, "aggregate", None) for config in context.answering},
        decide=[[context.subjects[id].grade for id in round.validation] for round in context.rounds],
    )


def _check_tested(context: Context, name: str) -> None:
    """Raise StageError where a model was asked about other patients than are to be scored."""
    asked = read_list(context.folder.tested(name))
    if set(asked) != set(context.tested):
        raise StageError(
            f"{name} was asked about {len(asked)} test patients, and these folds have {len(context.tested)}: give the "
            "same --fold as to `gliobench predict`, or run `gliobench predict` with this one first"
        )


def read_scores(context: Context) -> "Scores":
    """The tables that `score` left. Raises StageError where there are none."""
    from gliobench.scoring.summary import Scores

    return Scores(**{name: read_table(context, name) for name in TABLES})


def read_planned(context: Context) -> Planned:
    """The planned comparisons that `score` left, and who was chosen for them. Raises StageError without them."""
    return Planned(**{name: read_table(context, file) for name, file in PLANNED.items()})


def read_consistency(context: Context) -> "Consistency | None":
    """The tables of consistency that `score` left; None where the study asks nothing twice."""
    from gliobench.scoring.consistency import Consistency

    if context.study.consistency is None:
        return None
    return Consistency(**{name: read_table(context, file) for name, file in CONSISTENCY.items()})


def read_decision(context: Context) -> "pd.DataFrame | None":
    """The decision curves that `score` left; None where no class is asked for."""
    return read_table(context, DECISION) if _decides(context) else None


def _decides(context: Context) -> bool:
    return GRADE.name in context.study.tasks


def read_controls(context: Context) -> "ControlScores | None":
    """The tables of controls that `score` left; None where the study asks none."""
    from gliobench.scoring.controls import ControlScores

    if context.study.controls is None:
        return None
    return ControlScores(**{name: read_table(context, file) for name, file in CONTROLS.items()})


def read_table(context: Context, file: str, stage: Stage = SCORE) -> "pd.DataFrame":
    """A table as `score`, or another stage, left it. Raises StageError where it is missing or damaged."""
    import pandas as pd

    path = context.check(_table(context, file), stage)
    try:
        return pd.read_parquet(path)
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing: run `gliobench {stage.verb}` first") from error
    except (OSError, ValueError) as error:  # an earlier version's, without a checksum
        raise StageError(f"{path} is damaged ({error}): delete it and run `gliobench {stage.verb}` again") from error


def score_against(context: Context, truth: Callable[[PreparedSubject], PreparedSubject] = lambda one: one) -> "Scores":
    """All current answers scored; `truth` may give a patient another mask to be scored against."""
    from gliobench.scoring.readers import score_readers
    from gliobench.scoring.score import score_subject
    from gliobench.scoring.summary import summarise

    records: dict[str, list[Record]] = {id: [] for id in context.tested}
    for config in context.answering:
        for record in current_answers(context, config.name):
            records[record.subject].append(record)
    slices: dict[Plane, dict[str, list[int]]] = {
        plane: asked_slices(context, plane) for plane in context.study.slices.planes
    }
    by_task = {plane: slices_of_tasks(context, plane) for plane in slices}
    how = {id: found for round in context.rounds for found in [aggregations(context, round)] for id in round.test}
    scored = []
    with context.voice.bar("score", len(records)) as advance:
        for done, (id, own) in enumerate(records.items(), start=1):
            subject = context.subjects[id]
            items = list(answered_items(context, subject, own))
            asked = {plane: by_subject.get(id, []) for plane, by_subject in slices.items()}
            kept = {
                (plane, task): of_task[id]
                for plane, tasks in by_task.items()
                for task, of_task in tasks.items()
                if id in of_task
            }
            every = context.study.slices.every
            found = score_subject(truth(subject), items, asked, aggregations=how[id], every=every, kept=kept)
            scored.append(found)
            scored.append(_asked_for(context, score_readers(subject, asked, kept)))
            advance(done, id)
    scores = summarise(scored, problem=context.study.problem)
    if scores.summary.empty:
        raise StageError("there is nothing to score: no test patient has a truth for any task that a model answers")
    region = context.study.asked_region
    if not region.whole:  # so that nobody compares it with figures of another
        return replace(scores, per_subject=scores.per_subject.assign(region=region.key))
    return scores


def _asked_for(context: Context, scores: "SubjectScores") -> "SubjectScores":
    """The rows of the study's tasks."""
    return replace(scores, rows=tuple(row for row in scores.rows if row.task in context.study.tasks))


def _files(context: Context) -> list[Path]:
    """The tables that the study's scores are, and what the study is."""
    files = [*TABLES, *PLANNED.values(), *([DECISION] if _decides(context) else [])]
    files += CONSISTENCY.values() if context.study.consistency else ()
    files += CONTROLS.values() if context.study.controls else ()
    return [*(_table(context, file) for file in files), context.folder.scores / DESCRIPTION]


def _table(context: Context, file: str) -> Path:
    return context.folder.scores / f"{file}.parquet"


def _write(context: Context, tables: "Mapping[str, pd.DataFrame]") -> None:
    for file, table in tables.items():
        write_whole(_table(context, file), table.to_parquet())
