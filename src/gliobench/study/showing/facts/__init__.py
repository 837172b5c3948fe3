"""What a run knows of itself, in sentences by name: reporting checklists are filled in with them."""

from collections.abc import Callable, Mapping

from gliobench.study.showing.facts import data, models, results
from gliobench.study.showing.facts.run import Run

FACTS: Mapping[str, Callable[[Run], str]] = {
    fact.__name__: fact for fact in (*data.FACTS, *models.FACTS, *results.FACTS)
}


def facts(run: Run) -> dict[str, str]:
    """Every fact by name, empty where the run knows nothing of it."""
    return {name: fact(run) for name, fact in FACTS.items()}
