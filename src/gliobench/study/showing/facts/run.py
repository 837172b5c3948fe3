"""What facts are made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gliobench.study.state.context import Context

if TYPE_CHECKING:
    from gliobench.report.contents import ReportContents


@dataclass(frozen=True)
class Run:
    """A study with its patients, and what its report shows."""

    context: Context
    contents: "ReportContents"


def sentences(parts: Iterable[str]) -> str:
    """Each part as a sentence of one text; empty parts left out."""
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)
