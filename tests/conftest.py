"""Fixtures that every room shares."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# The same examples everywhere, and a verdict that does not depend on how busy the machine is.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# First, so that no worker is left alone with one of them at the end.
LONGEST = ("test_finetune.py", "test_learns.py", "test_readme.py", "test_phantom.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


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
