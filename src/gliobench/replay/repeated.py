"""External answers to one and the same input: how alike they are."""

from gliobench.cohort.patients import patient_of
from gliobench.grid.frame import Plane
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.replay.standard import read_answer
from gliobench.scoring.consistency import Consistency, Repeated, measure
from gliobench.scoring.intervals import Figure
from gliobench.scoring.summary import figures_of
from gliobench.tasks.geometry import Grade


def measure_external(external: ExternalAnswers, name: str) -> Consistency | None:
    """The figures of every input that was answered more than once; None where there is none. `name`: of the model."""
    inputs: dict[tuple[str, Plane, int], list[ExternalAnswer]] = {}
    for answer in external.answers:
        inputs.setdefault((answer.subject, answer.frame.plane, answer.frame.index), []).append(answer)
    repeated = [_repeated(external, name, answers) for answers in inputs.values() if len(answers) > 1]
    return measure(repeated) if repeated else None


def _repeated(external: ExternalAnswers, name: str, answers: list[ExternalAnswer]) -> Repeated:
    first = answers[0]
    grade = first.truth.value if isinstance(first.truth, Grade) else None
    said = tuple(read_answer(external, answer) for answer in answers)
    return Repeated(
        *(name, external.task, first.subject, grade, first.frame, said),
        drawn=True,
        patient=patient_of(first.subject),
        problem=external.problem,
    )


def overall(consistency: Consistency) -> tuple[dict[str, int], dict[str, Figure]]:
    """`n_inputs`, `n_asked` and `n_answered`, and the figures over all inputs by name."""
    rows = consistency.figures[consistency.figures["subject"].isna()]
    counts = {name: int(rows[name].max()) for name in ("n_inputs", "n_asked", "n_answered")}
    return counts, figures_of(rows)
