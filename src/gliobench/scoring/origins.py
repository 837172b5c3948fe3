"""Whether the class of patients can be read off where their scans come from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import PermutationMethod, chi2_contingency

from gliobench.cohort.problem import Problem
from gliobench.scoring.grades import weighted_auc

PERMUTATIONS = 9_999
ODD = 0.05  # below this chance the class is said to depend on the source


@dataclass(frozen=True)
class OriginTest:
    """What the source tells of the class of the very patients it is counted on.

    `sources`: how many there are; `pure`: patients of a source that has one class only; `right`: patients of the
    commonest class of their source; `commonest`: patients of the commonest class of all. `auc`: of two classes, that of
    the positive one's proportion in each source, else None. `p`: of a permutation test.
    """

    patients: int
    sources: int
    pure: int
    right: int
    commonest: int
    auc: float | None
    p: float

    @property
    def readable(self) -> bool:
        return self.p < ODD


def origin_test(classes: Sequence[int], origins: Sequence[str], problem: Problem, seed: int = 0) -> OriginTest | None:
    """The test of these patients, one place in both sequences each; None for fewer than two sources or classes.

    p is of Pearson's chi-square of sources against classes when the classes are shuffled among the patients, 9,999
    times, by SciPy. So many small sources, which separate the classes of any patients, are no finding.
    """
    names, places = np.unique(np.asarray(origins), return_inverse=True)
    if len(names) < 2 or len(set(classes)) < 2:
        return None
    truths = np.asarray(classes, dtype=np.intp)
    table = np.zeros((len(names), problem.count), dtype=np.intp)
    np.add.at(table, (places, truths), 1)
    shuffles = PermutationMethod(n_resamples=PERMUTATIONS, rng=np.random.default_rng(seed))
    auc = None
    if not problem.several:
        positive = problem.positive_class
        share = (table[:, positive] / table.sum(axis=1))[places]
        auc = float(weighted_auc(np.ones((1, len(truths))), truths == positive, share)[0])
    return OriginTest(
        patients=len(truths),
        sources=len(names),
        pure=int(table[(table > 0).sum(axis=1) == 1].sum()),
        right=int(table.max(axis=1).sum()),
        commonest=max(Counter(classes).values()),
        auc=auc,
        p=float(chi2_contingency(table[:, table.any(axis=0)], correction=False, method=shuffles).pvalue),
    )
