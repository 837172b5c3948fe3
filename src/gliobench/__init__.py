"""gliobench: vision-language model, fine-tuned or not, or a specialised 3D network, on your own 3D medical images.

The public API is this page. The README shows it in fifteen lines.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("gliobench")

# Each name with the module that holds it; imported at first use, so that `import gliobench` stays quick.
_PLACES = {
    "read_cohort": "gliobench.cohort.read",
    "write_phantom": "gliobench.cohort.phantom",
    "read_study": "gliobench.study.config.study",
    "make_context": "gliobench.study.state.context",
    "STAGES": "gliobench.study.run",
    "run_stages": "gliobench.study.run",
    "read_scores": "gliobench.study.stages.score",
}
__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'gliobench' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
