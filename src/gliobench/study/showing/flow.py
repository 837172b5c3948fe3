"""What became of all patients who were found."""

from collections import Counter
from typing import TYPE_CHECKING

from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.report.contents import Flow


def flow(context: Context) -> "Flow":
    """Found, left out with reasons, and the parts of each fold in use; in scans where patients have several."""
    from gliobench.report.contents import Flow, FlowFold

    reasons = {fault.subject_id: fault.problem for fault in reversed(context.left_out)}  # of each the first
    prepared = context.patients
    folds = [
        FlowFold(number, len(fold.train), len(fold.validation), len(fold.test))
        for number, fold in context.folds.items()
    ]
    return Flow(
        unit="scans" if len(set(prepared.values())) < len(prepared) else "patients",
        found=len(prepared) + len(reasons),
        left_out=tuple(Counter(reasons.values()).most_common()),
        unused=len(set(prepared) - set(context.split.everybody)),
        folds=tuple(folds),
    )
