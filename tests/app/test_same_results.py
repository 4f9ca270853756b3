"""The same clip gives the same result to the byte, whatever was analysed before it and wherever it is."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import SOME_FAILED
from app.batch import Row, run_batch
from tests.clips import make_clip

ROOT = Path(__file__).parents[2]
Results = dict[int, bytes]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of different lengths, so that the one before leaves something else behind."""
    folder = tmp_path_factory.mktemp("clips")
    make_clip(folder / "a.mp4", 3.0)
    make_clip(folder / "b.mp4", 6.0, video="two")
    make_clip(folder / "c.mp4", 4.0, video=None)
    return folder


@pytest.fixture(scope="module")
def one_by_one(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Their results, one after another in this process."""
    return results(clips, tmp_path_factory.mktemp("here"))


def results(clips: Path, out: Path) -> Results:
    """Each clip's JSON without its timings, by the clip's length in seconds."""
    rows = run_batch(clips, out)
    assert [row.reason for row in rows] == [""] * 3
    return kept(out, rows)


def kept(out: Path, rows: list[Row]) -> Results:
    """What the rows' files in `out` hold, as `results` gives it."""
    found: Results = {}
    for row in rows:
        result = json.loads((out / row.json).read_text(encoding="utf-8"))
        assert result.pop("timings")["total"] > 0
        found[round(result["clip"]["duration"])] = json.dumps(result, sort_keys=True).encode()
    assert len(found) == 3
    return found


def test_in_another_order(clips: Path, one_by_one: Results, tmp_path: Path) -> None:
    turned = tmp_path / "turned"
    turned.mkdir()
    for path, name in zip(sorted(clips.iterdir()), "zyx", strict=True):
        shutil.copy(path, turned / f"{name}.mp4")
    assert results(turned, tmp_path / "out") == one_by_one


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is optional and not installed")
def test_on_ray(clips: Path, one_by_one: Results, tmp_path: Path) -> None:
    """From the shell: Ray forks as it starts, which hangs now and then in a process with as many threads as this."""
    folder, out = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(clips, folder)
    shutil.copy(folder / "a.mp4", folder / "copy.mp4")
    (folder / "text.mp4").write_text("no video")
    command = [sys.executable, "-m", "app", "batch", str(folder), "--out", str(out), "--ray", "local"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == SOME_FAILED, done.stderr
    found = json.loads((out / "table.json").read_text(encoding="utf-8"))["rows"]
    rows = {row["clip"]: Row(**row) for row in found}
    assert [row.state for row in rows.values()] == ["done"] * 4 + ["failed"]
    assert "cannot be read as a video" in rows["text.mp4"].reason
    assert rows["copy.mp4"].json == rows["a.mp4"].json
    assert all((out / row.report).is_file() for row in rows.values() if row.state == "done")
    assert kept(out, [rows[name] for name in ("a.mp4", "b.mp4", "c.mp4")]) == one_by_one
