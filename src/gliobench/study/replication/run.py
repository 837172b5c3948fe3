"""A study of answers that somebody holds: every folder scored under both protocols, one report for all of them.

The file has `replay:` instead of `models:`; `gliobench run` takes both kinds.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.subject import HGG, Fault
from gliobench.grid.frame import Plane, SliceFrame
from gliobench.scoring.camps import Camp
from gliobench.study.config.replay import ALWAYS_HGG, MIDDLE, WHOLE, ReplayConfig, Replication
from gliobench.study.replication.samples import external_report_samples
from gliobench.study.state.context import check_writable
from gliobench.study.state.lacking import check_external_files
from gliobench.study.state.progress import Voice
from gliobench.tasks.answer import Answered
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Box, Grade, Point, Polygon, Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import DEFAULT_IN_WORDS, TASKS

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.replay.external import ExternalAnswers
    from gliobench.replay.outcome import Outcome, ProtocolName
    from gliobench.report.contents import Part as ReportConfig
    from gliobench.report.contents import ProtocolComparison, ReportContents
    from gliobench.scoring.consistency import Consistency
    from gliobench.scoring.summary import Scores


def run_replication(study: Replication, out: Path, voice: Voice) -> Path:
    """Score every entry and write the report and the standard tables into `out`; returns the page.

    Raises StudyError where answers are not there, unless they are optional, and StageError for an `out` that cannot be
    written.
    """
    study, left_out = check_external_files(study)
    check_writable("--out", out)
    for sentence in left_out:
        voice.say(sentence)
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(min(len(study.replay), os.cpu_count() or 1), _processes()) as pool:
        replayed = pool.map(partial(_replayed, study.problem), sorted(study.replay, key=_slowest_first))
        from gliobench.replay.tables import write_scores  # imported while the others work
        from gliobench.report.page import write_report

        with voice.bar("replay", len(study.replay)) as advance:
            for done, outcome in enumerate(replayed, start=1):
                outcomes.append(outcome)
                advance(done, outcome.name)
        trivial = list(pool.map(partial(_baseline, study.majority), _most_answered(outcomes)))
    names = [config.name for config in study.replay]
    outcomes.sort(key=lambda outcome: names.index(outcome.name))
    scores = _together([*(outcome.standard.scores for outcome in outcomes if outcome.standard), *trivial])
    consistency = _consistency(outcomes)
    write_scores(scores, out, consistency)
    page = write_report(_contents(study, outcomes, scores, consistency, left_out), out / "report")
    voice.say(f"report: {page}")
    return page


def _slowest_first(config: ReplayConfig) -> int:
    return -list(TASKS).index(config.task)  # the finer a task, the longer it takes to score


def _processes() -> BaseContext:
    """How other processes start: from one that has imported what they need, where the system has that, else afresh.
    Never as a copy of this one, whose libraries have threads."""
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    context.set_forkserver_preload(["gliobench.replay.outcome"])
    return context


def _replayed(problem: Problem, config: ReplayConfig) -> "Outcome":
    from gliobench.replay.outcome import replay
    from gliobench.replay.published import PUBLISHED_TASKS

    published = config.task in PUBLISHED_TASKS and problem.classes == GLIOMA.classes
    protocol: ProtocolName = "both" if published else "standard"
    return replay(config.answers, config.task, protocol, config.plane, config.name, config.coordinates, problem)


def _together(tables: Sequence["Scores"]) -> "Scores":
    """All tables, one below the other."""
    import pandas as pd

    from gliobench.scoring.summary import Scores

    names = ("per_subject", "summary", "votes")
    return Scores(*(pd.concat([getattr(one, name) for one in tables], ignore_index=True) for name in names))


def _most_answered(outcomes: Sequence["Outcome"]) -> list["ExternalAnswers"]:
    """Of each task and plane the answers about most patients."""
    largest: dict[tuple[str, Plane], ExternalAnswers] = {}
    for outcome in outcomes:
        external = outcome.external
        if external.task not in DEFAULT_IN_WORDS:  # another package's, of which no trivial answer is known
            continue
        key = (external.task, external.answers[0].frame.plane)
        if key not in largest or len(external.by_subject) > len(largest[key].by_subject):
            largest[key] = external
    return list(largest.values())


def _baseline(majority: str, external: "ExternalAnswers") -> "Scores":
    """The trivial baseline on the same questions: `majority` (everybody has one class), the middle of the image, or the
    whole slice."""
    from gliobench.replay.standard import score_answers_as

    frames = [answer.frame for answer in external.answers]
    if external.task == GRADE.name:
        same = HGG if majority == ALWAYS_HGG else _most_frequent(external)
        return score_answers_as(external, majority, [Answered(Grade(same)) for _ in frames])
    if external.task == CENTRE.name:
        middles = [Point(frame, (frame.shape[0] - 1) / 2, (frame.shape[1] - 1) / 2) for frame in frames]
        return score_answers_as(external, MIDDLE, [Answered(middle) for middle in middles])
    # Its centre is the middle of the image, which stands there already.
    return _without_centre(
        score_answers_as(external, WHOLE, [Answered(_whole(external.task, frame)) for frame in frames])
    )


def _most_frequent(external: "ExternalAnswers") -> int:
    """The class that most patients have, the first one of equals."""
    truths = [about[0].truth for about in external.by_subject.values()]
    counts = Counter(truth.value for truth in truths if isinstance(truth, Grade))
    return min(counts, key=lambda value: (-counts[value], value), default=0)


def _whole(task: str, frame: SliceFrame) -> Value:
    bottom, right = (size - 1.0 for size in frame.shape)
    if task == BOX.name:
        return Box(frame, 0, 0, bottom, right)
    return Polygon(frame, ((0, 0), (0, right), (bottom, right), (bottom, 0)))


def _without_centre(scores: "Scores") -> "Scores":
    from gliobench.scoring.summary import Scores

    per_subject, summary = (table[table["task"] != CENTRE.name] for table in (scores.per_subject, scores.summary))
    return Scores(per_subject, summary, scores.votes)


def _consistency(outcomes: Sequence["Outcome"]) -> "Consistency | None":
    """The tables of all models that answered an input more than once, one below the other."""
    import pandas as pd

    from gliobench.scoring.consistency import Consistency

    found = [outcome.consistency for outcome in outcomes if outcome.consistency is not None]
    names = ("figures", "answers")
    return Consistency(*(pd.concat([getattr(one, name) for one in found]) for name in names)) if found else None


def _contents(
    study: Replication,
    outcomes: Sequence["Outcome"],
    scores: "Scores",
    consistency: "Consistency | None",
    left_out: Sequence[str],
) -> "ReportContents":
    from gliobench.report.contents import Constant, ReportContents
    from gliobench.study.replication.outlines import middle_outlines

    return ReportContents(
        title=study.title,
        study=study.name,
        cohort=study.cohort,
        parts=list(_parts(scores.votes, study.problem)),
        summary=scores.summary,
        per_subject=scores.per_subject,
        votes=scores.votes,
        samples=list(external_report_samples(outcomes, scores.votes)),
        baselines=frozenset(study.trivial),
        problem=study.problem,
        provenance={config.name: _origin(config) for config in study.replay},
        notes=(*study.notes, *left_out, *_notes(outcomes)),
        comparisons=_comparisons(scores, study.trivial),
        planned=planned_comparisons(study, scores),
        consistency=consistency,
        sampling={config.name: config.sampling for config in study.replay},
        outlines=list(middle_outlines(outcomes)),
        faults=list(_faults(outcomes)),
        sides=[_sides(outcome) for outcome in outcomes if outcome.published],
        constants=[Constant(config.name, config.task, config.source, config.figures) for config in study.constants],
    )


def _origin(config: ReplayConfig) -> str:
    return f"{config.task}, {config.plane}: {config.answers}" + (f" ({config.sampling})" if config.sampling else "")


def _parts(votes: "pd.DataFrame", problem: Problem) -> Iterator["ReportConfig"]:
    from gliobench.report.contents import Part as ReportConfig

    patients = votes.drop_duplicates("subject")
    if len(patients):
        counts = tuple(int((patients["grade"] == number).sum()) for number in range(len(problem.classes)))
        yield ReportConfig("test", len(patients), counts)


def _faults(outcomes: Sequence["Outcome"]) -> Iterator[Fault]:
    """Patients of whom some model's files say nothing, with all of these models."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        for subject in outcome.external.silent:
            found.setdefault(subject, []).append(f"an empty file of {outcome.name}")
        for subject in outcome.external.gaps:
            found.setdefault(subject, []).append(f"no file of {outcome.name}")
    for subject, problems in sorted(found.items()):
        yield Fault(subject, "; ".join(problems))


def _notes(outcomes: Sequence["Outcome"]) -> Iterator[str]:
    yield "There are no images here: a pixel is taken as 1 mm wide, and neighbouring slices as 1 mm apart."
    yield from (outcome.suspicion for outcome in outcomes if outcome.suspicion)
    for outcome in outcomes:
        if outcome.standard and outcome.standard.unanswered:
            kinds = ", ".join(f"{count} {kind}" for kind, count in outcome.standard.unanswered.items())
            yield f"{outcome.name}, {outcome.external.task}: answers that could not be used: {kinds}."


def _comparisons(scores: "Scores", trivial: Collection[str]) -> "pd.DataFrame | None":
    from gliobench.report.metrics import first_metrics
    from gliobench.scoring.compare import compare
    from gliobench.scoring.errors import CompareError

    models = scores.of(set(scores.summary["model"]) - set(trivial))
    try:
        return compare(models, scores.of(trivial), metrics=first_metrics())
    except CompareError:
        return None


def planned_comparisons(study: Replication, scores: "Scores") -> "pd.DataFrame | None":
    """The study's planned comparisons, each on the tasks that both sides answered themselves; None without any."""
    from gliobench.scoring.planned import Side, compare_planned

    camps: dict[str, Camp | None] = {config.name: config.camp for config in study.replay}
    camps |= dict.fromkeys(study.trivial, "trivial")
    table = scores.summary[scores.summary["task"] == scores.summary["source"]]
    answered = {str(model): set(rows["task"]) for model, rows in table.groupby("model")}
    planned = {
        task: [
            (Side(a, camps[a]), Side(b, camps[b]))
            for a, b in study.comparisons
            if task in answered.get(a, ()) and task in answered.get(b, ())
        ]
        for task in TASKS
    }
    return compare_planned(scores, planned) if study.comparisons else None


def _sides(outcome: "Outcome") -> "ProtocolComparison":
    from gliobench.replay.printing import figure_text
    from gliobench.replay.protocol_comparison import counts, rows
    from gliobench.report.contents import ProtocolComparison, ProtocolRow

    shown = [
        ProtocolRow(row.name, figure_text(row.published), figure_text(row.standard), row.why) for row in rows(outcome)
    ]
    return ProtocolComparison(outcome.name, outcome.external.task, shown, counts(outcome))
