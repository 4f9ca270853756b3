"""The same clip gives the same result to the byte, whatever was analysed before it and wherever it is."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.batch import run_batch
from tests.clips import make_clip

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


def results(clips: Path, out: Path, **how: Any) -> Results:
    """Each clip's JSON without its timings, by the clip's length in seconds."""
    rows = run_batch(clips, out, **how)
    assert [row.reason for row in rows] == [""] * 3
    found: Results = {}
    for row in rows:
        kept = json.loads((out / row.json).read_text(encoding="utf-8"))
        assert kept.pop("timings")["total"] > 0
        found[round(kept["clip"]["duration"])] = json.dumps(kept, sort_keys=True).encode()
    assert len(found) == 3
    return found


def test_in_another_order(clips: Path, one_by_one: Results, tmp_path: Path) -> None:
    turned = tmp_path / "turned"
    turned.mkdir()
    for path, name in zip(sorted(clips.iterdir()), "zyx", strict=True):
        shutil.copy(path, turned / f"{name}.mp4")
    assert results(turned, tmp_path / "out") == one_by_one


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is optional and not installed")
def test_on_ray(clips: Path, one_by_one: Results, tmp_path: Path) -> None:
    assert results(clips, tmp_path / "out", ray="local") == one_by_one
