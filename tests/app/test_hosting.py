"""README's commands for a Space, as far as they go without the Hub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_what_git_tracks_goes_up_to_a_space(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Hosting")[1]
    commands = re.search(r"```bash\n(.*?)```", section, re.S)[1]  # type: ignore[index]
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("no git checkout")
    told = commands.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    (tmp_path / "up").mkdir()
    offline = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path / "up")}
    offline["HF_HUB_OFFLINE"] = "1"
    done = subprocess.run(
        ["bash", "-c", told], cwd=ROOT, env=offline, capture_output=True, text=True, check=False
    )
    # Nothing is amiss with the command: the Hub was to be asked for the Space.
    assert re.search(r"repos/create: offline mode is enabled", done.stderr), done.stderr
    (space,) = (path.parent for path in (tmp_path / "up").glob("*/app.py"))
    assert not (space / ".git").exists()
    assert {"requirements.txt", "README.md", "app", "model"} <= {path.name for path in space.iterdir()}
    weights = Path("model/weights/model.safetensors")
    assert (space / weights).read_bytes() == (ROOT / weights).read_bytes()
