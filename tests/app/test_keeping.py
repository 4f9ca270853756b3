"""Nothing that a visitor brought or made outlives the promise of an hour."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import gradio as gr
import pytest

from app.keeping import KEPT, SWEEP, private_folder, sweep
from app.page import build_page
from app.service import Service
from tests.app.made import make_analysis


def _age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_old_files_and_empty_folders_go_and_new_ones_stay(tmp_path: Path) -> None:
    for name in ("old/a.mp4", "mixed/old.json", "mixed/new.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in ("old/a.mp4", "mixed/old.json"):
        _age(tmp_path / name, KEPT + 1)
    sweep(tmp_path)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["new.json"]
    _age(tmp_path / "old", KEPT + 1)  # emptying a folder made it new; a later sweep finds it old
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mixed"]


def test_the_promise_is_an_hour() -> None:
    assert KEPT + SWEEP < 3600


def test_the_page_keeps_everything_in_one_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
    page = build_page()
    assert Path(page.GRADIO_CACHE) == private_folder() == tmp_path / "visitors"
    assert stat.S_IMODE(private_folder().stat().st_mode) == 0o700
    service = Service(page.GRADIO_CACHE)
    saved = [
        v for v in service.show(make_analysis(), "clip.mp4", "text") if str(v).endswith((".json", ".html"))
    ]
    assert len(saved) == 2
    assert all(private_folder() in Path(path).parents for path in saved)
    sweep(private_folder(), -1)
    assert not [p for p in private_folder().rglob("*") if p.is_file()]


def test_a_video_that_was_deleted_is_told() -> None:
    steps = Service("/nowhere").run("/nowhere/clip.mp4", None, gr.Request(session_hash="me"))
    with pytest.raises(gr.Error, match="no longer on the server"):
        next(steps)
