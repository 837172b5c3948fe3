"""What a report was written with: versions and machine, and nothing that names a person or a place."""

import getpass
import json
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from gliobench.study.showing.environment import commit, environment


def test_packages_have_their_versions_and_nobody_is_named() -> None:
    found = environment()
    assert found["packages"]["numpy"] == version("numpy")
    assert found["gliobench"]["version"] == version("gliobench")
    text = json.dumps(found | {"packages": None})
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}' not in text


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_of_the_checkout_that_holds_the_file(tmp_path: Path) -> None:
    def git(*command: str) -> str:
        author = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        done = subprocess.run(["git", *author, *command], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    file = tmp_path / "code.py"
    file.write_text("1\n")
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert commit(file) is None, "the file is not part of the checkout"
    git("add", "code.py")
    git("commit", "-q", "-m", "second")
    assert commit(file) == git("rev-parse", "HEAD")
    file.write_text("2\n")
    assert commit(file) == git("rev-parse", "HEAD") + "-dirty"
