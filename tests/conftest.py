"""Fixtures that every room shares."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real patients and real answers beside the checkout; skips where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "README.md").is_file():
        pytest.skip(f"the real patients' folder is missing: {folder}")
    return folder
