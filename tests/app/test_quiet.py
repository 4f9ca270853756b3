"""Errors reach the log without their words, wherever in the handling of a request they come up."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import gradio.queueing
import pytest

from app.server.keeping import keep_sweeping
from app.server.quiet import LOGGERS, keep_errors_quiet
from app.service import Service
from tests.app.made import make_analysis, make_grid

NAME = "Zwirbelquast-9021"
ME = gr.Request(session_hash="me")


def _told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    return "".join([caplog.text, *capfd.readouterr()])


def test_what_gradio_and_its_server_print_of_an_error_is_its_place(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradio.queueing, "traceback", gradio.queueing.traceback)  # restored afterwards
    keep_errors_quiet()
    try:
        raise FileNotFoundError(2, "No such file", f"/visitors/{NAME}.mp4")
    except FileNotFoundError:
        gradio.queueing.traceback.print_exc()
        for name in LOGGERS:
            logging.getLogger(name).error("%s was not found", NAME, exc_info=True)
    told = _told(caplog, capfd)
    assert NAME not in told
    assert told.count("FileNotFoundError in test_what_gradio") == 1 + len(LOGGERS)


def test_gradio_prints_errors_where_it_is_kept_quiet() -> None:
    """Should gradio print them elsewhere in another version, somebody is to look."""
    folder = Path(gradio.__file__).parent
    printing = {path.name for path in folder.glob("*.py") if "print_exc(" in path.read_text(encoding="utf-8")}
    asleep = {"screen_recording_utils.py", "utils.py"}  # doors that are shut, and reloading for developers
    assert printing - asleep == {"queueing.py", "routes.py", "route_utils.py"}


@pytest.mark.parametrize("what", ["show", "report", "correct", "prepare"])
def test_a_visitor_who_deletes_while_files_are_written_gets_none_and_none_are_named(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(str(tmp_path))
    clip = tmp_path / "upload" / f"{NAME}.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"video")
    new = service._rooms.new

    def deleted_at_once(session: str, room: Path | None = None) -> Path:
        made = new(session, room)
        service.leave(ME)
        return made

    monkeypatch.setattr(service._rooms, "new", deleted_at_once)
    monkeypatch.setattr("app.server.preview.is_playable", lambda path: False)
    analysis, grid = make_analysis(), make_grid()
    given: Any = {
        "show": lambda: [service.show(analysis, str(clip), "text", request=ME)],
        "report": lambda: [service.report(analysis, grid, str(clip), ME)],
        "correct": lambda: [service.correct([["0.00", "1.00", "so"]], ME)],
        "prepare": lambda: [service.prepare(str(clip), ME)],
    }[what]()
    assert all(value in (gr.skip(), "") for value in given)
    assert not list((tmp_path / "sessions").iterdir())


def test_a_disk_that_takes_nothing_is_told_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", f"/visitors/{NAME}.json")

    monkeypatch.setattr("app.panels.saving.save", refuse)
    shown = Service(str(tmp_path)).show(make_analysis(), f"{NAME}.mp4", "text", request=ME)
    (told,) = [value for value in shown if "cannot write to its disk" in str(value)]
    assert NAME not in told
    assert NAME not in caplog.text
    assert "OSError in refuse" in caplog.text


def test_a_sweep_that_fails_tells_no_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = threading.Event()

    def fail(folder: Path, most: int | None = None) -> None:
        raise PermissionError(13, "Permission denied", f"{folder}/{NAME}.mp4")

    monkeypatch.setattr("app.server.keeping.sweep", fail)
    monkeypatch.setattr(
        "app.server.keeping.time", SimpleNamespace(sleep=lambda _: asleep.wait(), monotonic=time.monotonic)
    )
    keep_sweeping(tmp_path)
    patience = time.monotonic() + 10
    while "PermissionError" not in caplog.text and time.monotonic() < patience:
        time.sleep(0.05)
    assert "PermissionError in fail" in caplog.text
    assert NAME not in caplog.text
