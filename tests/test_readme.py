"""The Python of the README runs, line for line."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    block, _ = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 15
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    result = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "flair-blob" in result.stdout
    assert (tmp_path / "runs" / "python" / "report" / "report.html").is_file()
