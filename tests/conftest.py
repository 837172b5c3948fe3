"""Fixtures that every room shares."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

from gliobench.cohort.phantom import write_phantom

# The same examples everywhere, and a verdict that does not depend on how busy the machine is.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

THREADS = torch.get_num_threads()  # of a process of its own
# First, and in this order, so that no worker is left alone with one of them at the end.
LONGEST = ("test_finetune.py", "test_kill.py", "test_replication.py", "test_learns.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Torch, transformers and MONAI are a million objects by now, that every garbage collection would visit again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real patients and real answers beside the checkout; skips where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "README.md").is_file():
        pytest.skip(f"the real patients' folder is missing: {folder}")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """On a busy machine OpenMP's second thread makes small models 30 times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MakeOnce:
    """Fills a folder for all workers: the first that needs it does, the others wait. No test may change it."""
    own = tmp_path_factory.getbasetemp()
    base = own if worker_id == "master" else own.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return make


# A small cohort of phantom patients and a small study with every kind of model: end-to-end tests and the report's share
# one run of it.
SMALL_STUDY = """\
name: small
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 3}
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: image-centre}
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: flair-blob}
  - {kind: baseline, name: empty}
  - {kind: classical, name: radiomics, region: truth}
  - kind: network
    name: classifier
    network: grade-classifier
    train: {epochs: 4, learning_rate: 1.0e-4, batch_size: 2}
  - kind: network
    name: segmenter
    network: mask-segmenter
    train: {epochs: 12, learning_rate: 3.0e-3}
  - {kind: vlm, name: tiny-mllama-untrained, checkpoint: tiny-mllama, max_new_tokens: 12}
"""


@pytest.fixture(scope="session")
def phantom_cohort(make_once: MakeOnce) -> Path:
    """Ten phantom patients of 2 mm in BraTS 2020's layout."""
    return make_once("phantom", lambda folder: write_phantom(folder, subjects=10, seed=3, spacing_mm=2))


@pytest.fixture(scope="session")
def small_study(make_once: MakeOnce) -> Path:
    return make_once("study", lambda folder: (folder / "small.yaml").write_text(SMALL_STUDY)) / "small.yaml"


@pytest.fixture(scope="session")
def finished_run(make_once: MakeOnce, phantom_cohort: Path, small_study: Path) -> Path:
    """The output folder of the small study, run once without interruption."""
    from gliobench.study.config.study import read_study
    from gliobench.study.run import run_stages
    from gliobench.study.state.context import make_context

    def run(out: Path) -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(THREADS)  # an earlier test may have left fewer, and rounding differs by their number
        run_stages(make_context(read_study(small_study), cohort=phantom_cohort, out=out))
        torch.set_num_threads(threads)

    return make_once("run", run)
