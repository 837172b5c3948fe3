"""Models against each other, patient by patient: differences with interval, corrected p and minimum detectable
difference."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyarrow import ArrowException

from gliobench.grid.regions import WHOLE_KEY
from gliobench.integrity import DamagedError, check_file
from gliobench.scoring.clustered import scan_differences
from gliobench.scoring.errors import CompareError
from gliobench.scoring.human import AGAINST
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.matching import (
    SINCE_SCANS,
    Matched,
    ModelScores,
    Tables,
    compared_metrics,
    match,
    read_models,
)
from gliobench.scoring.paired import Difference, grade_differences, mean_differences
from gliobench.scoring.paired_classes import class_differences
from gliobench.scoring.power import ALPHA
from gliobench.scoring.registry import named
from gliobench.scoring.sentences import is_shown, sentence
from gliobench.scoring.summary import PER_SUBJECT, problem_of, votes_columns

COMPARED = (
    *("model_a", "model_b", "task", "source_a", "source_b", "plane", "metric", "n_subjects", "value_a", "value_b"),
    *(
        "difference",
        "low",
        "high",
        "interval",
        "p",
        "p_holm",
        "test",
        "smallest_detectable",
        "shown",
        "words",
        "left_out",
    ),
)
Pair = tuple[ModelScores, ModelScores]
AGAIN = "score the run again, or repeat the replay that wrote it"


def compare(
    a: Tables, b: Tables, bootstrap: Bootstrap | None = None, metrics: Collection[str] | None = None
) -> pd.DataFrame:
    """Every model of `a` against every model of `b`; the columns are `COMPARED`, differences are a minus b.

    Each task is scored from the nearest task that a model answered. Patients that only one side has are left out,
    counted in `words` and named in `left_out`. `p_holm` is corrected for all comparisons of models in the table; those
    with human readers (`gliobench.scoring.readers`), always model minus readers, have a correction of their own, so
    that they cost the others no power. `bootstrap`: 10,000 resamples, seed 0, where None.

    With `metrics`: of these alone, so that the correction is for fewer tests. Raises CompareError where a model name is
    on both sides, where the two disagree about a patient's grade and where there is nothing to compare.
    """
    sides = read_models(a), read_models(b)
    if both := [name for name, model in sides[0].items() if name in sides[1] and not model.human]:
        raise CompareError(f"both sides have a model called {both[0]}: rename one of them")
    return _compare_pairs(list(product(sides[0].values(), sides[1].values())), bootstrap, metrics)


def compare_named(
    tables: Tables,
    pairs: Sequence[tuple[str, str]],
    bootstrap: Bootstrap | None = None,
    metrics: Collection[str] | None = None,
) -> pd.DataFrame:
    """The named pairs of the models of one set of tables, first minus second; a model without scores is left out.

    Otherwise as `compare`.
    """
    models = read_models(tables)
    known = [(models[a], models[b]) for a, b in pairs if a in models and b in models]
    return _compare_pairs(known, bootstrap, metrics)


def compare_models(
    tables: Tables,
    reference: str | None = None,
    bootstrap: Bootstrap | None = None,
    metrics: Collection[str] | None = None,
) -> pd.DataFrame:
    """All pairs of the models of one set of tables, or every other model against `reference`; otherwise as
    `compare`."""
    models = read_models(tables)
    if len(models) < 2:
        raise CompareError(f"there is only one model, {next(iter(models), 'none')}: nothing to compare it with")
    return _compare_pairs(_pairs(list(models.values()), reference), bootstrap, metrics)


def compare_runs(
    folders: Sequence[Path],
    reference: str | None = None,
    bootstrap: Bootstrap | None = None,
    metrics: Collection[str] | None = None,
) -> pd.DataFrame:
    """Compare the models of run folders, from the tables that `gliobench score` wrote there; otherwise as `compare`.

    One folder: all pairs of its models. Several: every model with every model of another folder, named "<run>/<model>".
    With a `reference` (a model as it is named in the table): every other model against it. With `metrics`: of these
    alone, so that the correction is for fewer tests. Also raises CompareError for a folder without scores, for one
    given twice, for runs that ask about different regions and for a metric that none of them has.
    """
    if not folders:
        raise CompareError("no run folder was given")
    tables = [_read_run(folder) for folder in folders]
    _check_regions(folders, tables)
    _check_metrics(tables, metrics or ())
    if len(folders) == 1:
        return compare_models(tables[0], reference, bootstrap, metrics)
    runs = []
    for name, table in zip(_run_names(folders), tables, strict=True):
        models = read_models(table).values()
        runs.append([replace(model, name=f"{name}/{model.name}") for model in models])
    if reference is not None:
        return _compare_pairs(_pairs([model for run in runs for model in run], reference), bootstrap, metrics)
    pairs = [pair for one, other in combinations(runs, 2) for pair in product(one, other)]
    return _compare_pairs(pairs, bootstrap, metrics)


class _Run:
    """The tables of one run folder."""

    def __init__(self, per_subject: pd.DataFrame, votes: pd.DataFrame) -> None:
        self.per_subject = per_subject
        self.votes = votes


def _check_metrics(tables: Sequence[_Run], metrics: Collection[str]) -> None:
    known = {metric for table in tables for metric in table.per_subject["metric"]}
    of_votes = (table.votes for table in tables if len(table.votes))
    known |= {metric for votes in of_votes for metric in compared_metrics(problem_of(votes))}
    if unknown := [metric for metric in metrics if metric not in known]:
        raise CompareError(f"no metric called {', '.join(unknown)}; there are: {', '.join(sorted(known))}")


def _check_regions(folders: Sequence[Path], tables: Sequence[_Run]) -> None:
    """Raise CompareError for runs that ask about different regions. Tables of the whole target do not name it."""
    regions = [next(iter(table.per_subject.get("region", ())), WHOLE_KEY) for table in tables]
    if len(set(regions)) > 1:
        asked = ", ".join(f"{folder} {region}" for folder, region in zip(folders, regions, strict=True))
        raise CompareError(
            f"these runs ask about different regions ({asked}): only runs with the same `region:` in their study files "
            "can be compared"
        )


def _read_run(folder: Path) -> _Run:
    return _Run(
        _read(folder, "per_subject", lambda table: PER_SUBJECT),
        _read(folder, "votes", lambda table: votes_columns(problem_of(table))),
    )


def _read(folder: Path, name: str, columns: Callable[[pd.DataFrame], Sequence[str]]) -> pd.DataFrame:
    path = folder / "scores" / f"{name}.parquet"
    if not path.is_file():
        raise CompareError(
            f"{folder} holds no scores ({path} is missing): run `gliobench score` or `gliobench run` on it first"
        )
    try:
        check_file(path, folder / "stamps" / "score.json", folder)
        table = pd.read_parquet(path)
    except DamagedError as error:
        raise CompareError(f"{error}: {AGAIN}") from error
    except (ArrowException, OSError, ValueError) as error:
        raise CompareError(f"{path} cannot be read ({error}): {AGAIN}") from error
    if absent := [column for column in columns(table) if column not in table.columns and column not in SINCE_SCANS]:
        raise CompareError(f"{path} has no column {', '.join(absent)}: score the run again with this version")
    return table


def _run_names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with as many of their parents as needed to make them unique."""
    parts = [folder.resolve().parts for folder in folders]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-depth:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    raise CompareError(f"one run folder was given twice: {', '.join(str(folder) for folder in folders)}")


def _pairs(models: Sequence[ModelScores], reference: str | None) -> list[Pair]:
    if reference is None:
        return list(combinations(models, 2))
    against = [model for model in models if model.name == reference]
    if not against:
        names = ", ".join(model.name for model in models)
        raise CompareError(f"there is no model called {reference}; there are: {names}")
    return [(model, against[0]) for model in models if model is not against[0]]


def _compare_pairs(
    pairs: Sequence[Pair], bootstrap: Bootstrap | None, metrics: Collection[str] | None = None
) -> pd.DataFrame:
    bootstrap = bootstrap or Bootstrap()
    pairs = [(b, a) if a.human else (a, b) for a, b in pairs if not (a.human and b.human)]
    work = [(a.name, b.name, b.human, matched) for a, b in pairs for matched in match(a, b)]
    rows, differences = [], []
    permutations = _enough(bootstrap, sum(len(matched.metrics) for *_, matched in work))
    for name_a, name_b, human, matched in work:
        for metric, difference in _differences(matched, bootstrap, permutations, metrics):
            if metrics is not None and metric not in metrics:
                continue
            rows.append((name_a, name_b, metric, human, matched))
            differences.append(difference)
    if not any(difference.n for difference in differences):
        tried = "; ".join(f"{a.name} and {b.name}" for a, b in pairs[:3])
        raise CompareError(f"nothing to compare: no patient, task and plane in common ({tried})")
    return _table(rows, differences)


def _enough(bootstrap: Bootstrap, comparisons: int) -> int:
    """Resamples for permutation: enough that the smallest possible p survives the correction."""
    return max(bootstrap.resamples, int(2 * comparisons / ALPHA))


def _differences(
    matched: Matched, bootstrap: Bootstrap, permutations: int, metrics: Collection[str] | None
) -> list[tuple[str, Difference]]:
    if matched.calls is not None:
        return list(grade_differences(*matched.calls, bootstrap, permutations, matched.problem).items())
    if matched.scans is not None:
        return list(scan_differences(*matched.scans, bootstrap, permutations, matched.problem).items())
    if matched.classes is not None:
        return list(class_differences(*matched.classes, bootstrap, permutations, metrics).items())
    assert matched.means is not None
    scales = [named(metric).mean_scale for metric in matched.metrics]
    return list(zip(matched.metrics, mean_differences(*matched.means, scales, bootstrap, permutations), strict=True))


def _table(rows: Sequence[tuple[str, str, str, bool, Matched]], differences: Sequence[Difference]) -> pd.DataFrame:
    holm, counts = _corrected(differences, [human for *_, human, _ in rows])
    filled = []
    for (a, b, metric, human, matched), difference, p_holm in zip(rows, differences, holm, strict=True):
        figure = difference.figure
        notes = (*matched.notes, f"{b}: {AGAINST}") if human else matched.notes
        words = sentence((a, b), metric, difference, float(p_holm), counts[human], notes)
        filled.append((
            *(a, b, matched.task, *matched.sources, matched.plane, metric, difference.n),
            *(difference.value_a, difference.value_b, figure.value, figure.low, figure.high, figure.interval),
            *(difference.p, p_holm, difference.test, difference.smallest_detectable),
            *(is_shown(difference, float(p_holm)), words, matched.left_out),
        ))  # fmt: skip
    return pd.DataFrame(filled, columns=list(COMPARED))


def _corrected(differences: Sequence[Difference], human: Sequence[bool]) -> tuple[NDArray[np.float64], dict[bool, int]]:
    """p after Holm's correction among the comparisons of models, and among those with `human` readers; and how many
    tests there are in each."""
    p, with_readers = np.array([difference.p for difference in differences]), np.array(human, dtype=bool)
    holm, counts = np.full(len(p), np.nan), {}
    for family in (False, True):
        tested = ~np.isnan(p) & (with_readers == family)
        counts[family] = int(tested.sum())
        if tested.any():
            holm[tested] = _holm(p[tested])
    return holm, counts


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p (n,) corrected by Holm (1979). statsmodels gives the same, and collects all garbage of the process each time,
    which takes up to a second."""
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected
