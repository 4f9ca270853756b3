"""Nothing that a visitor brought or made outlives the promise of an hour."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.page import build_page
from app.sample import NAME
from app.server.keeping import (
    EMPTY,
    KEPT,
    LONGEST,
    SWEEP,
    Rooms,
    bytes_kept,
    keep_sweeping,
    private_folder,
    sweep,
)
from app.service import Service
from tests.app.made import make_analysis, offered


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


def test_a_folder_that_goes_while_it_is_swept_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.mp4").write_bytes(b"x")
    scan, gone = os.scandir, []

    def scandir(folder: str) -> Any:
        if not gone and str(folder) != str(tmp_path):  # as a visitor who leaves does, at the worst moment
            gone.append(folder)
            shutil.rmtree(folder)
        return scan(folder)

    monkeypatch.setattr("os.scandir", scandir)
    sweep(tmp_path, -1)
    assert gone
    assert not list(tmp_path.iterdir())


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
    saved = offered(service.show(make_analysis(), "clip.mp4", "text"))
    # The report comes once it has the answers.
    assert {path.suffix for path in saved} == {".json", ".csv", ".vtt", ".eaf"}
    assert all(private_folder() in path.parents for path in saved)
    sweep(private_folder(), -1)
    assert not [p for p in private_folder().rglob("*") if p.is_file()]


def test_a_video_that_was_deleted_is_told() -> None:
    steps = Service("/nowhere").run("/nowhere/clip.mp4", None, gr.Request(session_hash="me"))
    with pytest.raises(gr.Error, match="no longer on the server"):
        next(steps)


def _upload(rooms: Rooms, name: str = "clip.mp4", content: str = "video") -> Path:
    """A file where gradio would put an upload: named by its content."""
    path = rooms.folder / content / name
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name("upload")
    aside.write_text(content)
    return aside.replace(path)


def _left(rooms: Rooms) -> list[str]:
    return sorted(p.name for p in rooms.folder.rglob("*") if not p.is_dir())


def test_an_upload_becomes_the_sessions_and_stays_where_the_browser_looks(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path)
    upload = _upload(rooms)
    mine = rooms.claim("me", upload)
    assert mine != upload
    assert rooms.holds("me", mine)
    assert not rooms.holds("you", mine)
    assert upload.is_symlink()
    assert upload.read_text() == mine.read_text() == "video"
    assert rooms.claim("me", upload) == rooms.claim("me", mine) == mine
    assert "me" not in str(mine.relative_to(tmp_path).parent)  # a client may call its session what it likes
    rooms.leave("me")
    assert _left(rooms) == []
    assert not upload.parent.exists()


def test_two_who_bring_the_same_file_do_not_lose_it_when_one_leaves(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path)
    upload = _upload(rooms)
    rooms.claim("me", upload)
    rooms.claim("you", upload)
    rooms.leave("you")
    assert upload.read_text() == "video"
    _upload(rooms)  # a third brings it, and has not been heard of yet
    rooms.leave("me")
    assert upload.read_text() == "video"
    theirs = rooms.claim("they", upload)
    rooms.leave("they")
    assert not theirs.exists()
    assert _left(rooms) == []


def test_what_is_no_upload_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    rooms = Rooms(tmp_path / "visitors")
    for path in (tmp_path / "elsewhere.mp4", tmp_path / NAME, rooms.new("me") / "made.json"):
        path.write_text("x")
        assert rooms.claim("me", path) == path
    copy = _upload(rooms, NAME, "x")  # as gradio copies the sample to show it
    assert rooms.claim("me", copy) == copy
    assert not copy.is_symlink()
    own = _upload(rooms, NAME, "not the sample")
    assert rooms.claim("me", own) != own


def test_what_is_written_after_a_session_ended_goes_too(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path)
    with rooms.at_work("me") as room:
        rooms.leave("me")
        assert rooms.is_over(room)
        assert not room.exists()
        (rooms.new("me", room) / "late.npz").write_text("x")
    assert _left(rooms) == []
    with rooms.at_work("me") as room:  # the same session may come back
        assert not rooms.is_over(room)
        (room / "again.npz").write_text("x")
    assert _left(rooms) == ["again.npz"]
    rooms.leave("me")
    assert not list((tmp_path / "sessions").iterdir())
    assert [len(rooms._busy), len(rooms._over), len(rooms._moved)] == [0, 0, 0]


def test_what_a_session_brings_after_delete_now_stays_though_old_work_ends_later(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path)
    rooms.claim("me", _upload(rooms))
    with rooms.at_work("me") as before:
        rooms.leave("me")
        mine = rooms.claim("me", _upload(rooms, "next.mp4", "next"))
        (rooms.new("me", before) / "late.npz").write_text("x")
    assert _left(rooms) == ["next.mp4", "next.mp4"]  # the file, and where the browser has it
    assert rooms.holds("me", mine)
    rooms.leave("me")
    assert _left(rooms) == []


@pytest.mark.parametrize("works", [False, True], ids=["nothing between", "work between"])
def test_delete_now_pressed_twice_while_old_work_ends_leaves_a_room_for_new_work(
    works: bool, tmp_path: Path
) -> None:
    rooms = Rooms(tmp_path)
    with rooms.at_work("me") as before:
        rooms.leave("me")
        with rooms.at_work("me") if works else nullcontext():
            rooms.leave("me")
        with rooms.at_work("me") as room:
            assert room != before
            assert not rooms.is_over(room)
            (room / "new.npz").write_text("x")
    assert _left(rooms) == ["new.npz"]
    rooms.leave("me")
    assert _left(rooms) == []
    assert [len(rooms._busy), len(rooms._over), len(rooms._moved)] == [0, 0, 0]


def test_what_waits_or_is_read_does_not_grow_old_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = Rooms(tmp_path)
    upload = _upload(rooms)
    mine, results = rooms.claim("me", upload), rooms.new("me")
    (results / "0.json").write_text("x")

    def an_hour_passes() -> None:
        for path in (upload, mine, results / "0.json"):
            then = time.time() - KEPT - 1
            os.utime(path, (then, then), follow_symlinks=False)
        rooms.renew()
        sweep(tmp_path)

    with rooms.in_use(mine, results, None):
        an_hour_passes()
        assert _left(rooms) == ["0.json", "clip.mp4", "clip.mp4"]
        later = time.monotonic() + LONGEST + 1
        monkeypatch.setattr("time.monotonic", lambda: later)
        an_hour_passes()
    assert _left(rooms) == []
    assert not rooms._used


def test_a_disk_without_links_costs_a_copy_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not supported")

    rooms = Rooms(tmp_path)
    monkeypatch.setattr("os.link", refuse)
    upload = _upload(rooms)
    assert rooms.claim("me", upload).read_text() == "video"
    assert upload.is_symlink()
    rooms.leave("me")
    assert _left(rooms) == []


def test_past_a_size_the_oldest_go_first_and_empty_files_soon(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.mp4").write_bytes(bytes(100))
        _age(tmp_path / f"{i}.mp4", 100 - i)
    (tmp_path / "empty").touch()
    _age(tmp_path / "empty", EMPTY + 1)
    sweep(tmp_path, most=250)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2.mp4", "3.mp4"]


def test_a_sweep_leaves_room_for_who_uploads_until_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, done = list[Any](), threading.Event()

    def note(folder: Path, most: int) -> None:
        left.append((folder, most))
        done.set()

    monkeypatch.setattr("app.server.keeping.sweep", note)
    monkeypatch.setenv("COUPLED_MAMBA_KEPT_BYTES", "1000")
    keep_sweeping(tmp_path)
    assert done.wait(10)
    assert left == [(tmp_path, 800)]


def test_what_is_kept_is_told_from_what_is_on_its_way(tmp_path: Path) -> None:
    (tmp_path / "coming").write_bytes(b"x" * 10)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").write_bytes(b"x" * 7)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "coming")
    assert bytes_kept(tmp_path) == 7
