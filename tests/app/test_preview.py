"""Which clips browsers play, and the copies made of those they do not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.i18n import tell
from app.page import build_page
from app.server.keeping import KEPT, sweep
from app.server.preview import is_playable, make_preview, make_seekable
from app.service import Service
from extractors.media.reading import probe, read_sound
from tests.app.made import make_analysis, offered
from tests.clips import make_clip


@pytest.mark.parametrize(
    ("name", "codec", "playable"),
    [("a.mp4", None, True), ("a.webm", None, True), ("a.mpg", None, False), ("a.avi", None, False),
     ("a.mp4", "libx265", False), ("a.mkv", None, False)],
)  # fmt: skip
def test_playable(tmp_path: Path, name: str, codec: str | None, playable: bool) -> None:
    assert is_playable(make_clip(tmp_path / name, 0.5, codec=codec, fps=25)) is playable


def test_limits_come_before_a_clip_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "a.mpg", 0.5, fps=25)
    assert not is_playable(clip)
    monkeypatch.setenv("COUPLED_MAMBA_MAX_BYTES", "100")
    monkeypatch.setattr("av.open", lambda *_, **__: pytest.fail("it was opened"))
    assert is_playable(clip)  # no copy is made; the analysis says what is wrong


def test_the_copy_of_a_turned_clip_is_upright_and_lasts_as_long(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "turned.mov", 2.0, rotation=90, codec="mpeg4")
    assert make_preview(clip, tmp_path / "copy.mp4")
    info = probe(tmp_path / "copy.mp4")
    assert is_playable(tmp_path / "copy.mp4")
    assert info.height > info.width
    assert info.duration == pytest.approx(2.0, abs=0.2)
    heard, original = read_sound(tmp_path / "copy.mp4"), read_sound(clip)
    assert heard is not None
    assert original is not None
    assert heard.duration == pytest.approx(original.duration, abs=0.2)


def test_no_copy_of_what_has_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert not make_preview(tmp_path / "text.mp4", tmp_path / "copy.mp4")
    assert not make_preview(make_clip(tmp_path / "sound.wav", 1.0, video=None), tmp_path / "copy.mp4")


def test_a_clip_too_long_for_a_copy_is_told_so_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", told.append)
    monkeypatch.setattr("app.server.preview.LONGEST", 0.4)
    monkeypatch.setattr("app.server.preview.make_preview", lambda *_: pytest.fail("a copy nobody waits for"))
    service, me = Service(str(tmp_path / "cache")), gr.Request(session_hash="me")
    assert service.prepare(str(make_clip(tmp_path / "long.mpg", 0.8, fps=25)), me) == gr.skip()
    assert told == [tell("status.no_copy")]
    monkeypatch.setattr("app.server.preview.make_preview", lambda *_: False)
    (tmp_path / "none.mpg").write_text("no video")
    for clip in (
        make_clip(tmp_path / "plays.mp4", 0.8),
        make_clip(tmp_path / "sound.wav", 0.8, video=None),
        tmp_path / "none.mpg",
    ):
        assert service.prepare(str(clip), me) == gr.skip()
    assert len(told) == 1


def test_the_original_is_what_is_analysed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gr, "Info", lambda message: None)
    clip = make_clip(tmp_path / "old.mpg", 1.0, fps=25)
    service = Service(str(tmp_path / "cache"))
    me, you = gr.Request(session_hash="me"), gr.Request(session_hash="you")
    copy = service.prepare(str(clip), me)
    asked: list[str] = []
    monkeypatch.setattr("app.analyze.analyze", lambda clip, *_, **__: asked.append(str(clip)))
    list(service.run(copy, None, me))
    list(service.run(copy, None, you))
    assert asked == [str(clip), copy]  # what stands behind a copy is the session's own


def _upload(folder: Path, name: str, old: float = 0.0) -> Path:
    """A clip that browsers cannot play, where gradio would put an upload, of so many seconds ago."""
    (folder / name).mkdir(parents=True)
    clip = make_clip(folder / name / f"{name}.mpg", 0.5, fps=25)
    os.utime(clip, (time.time() - old,) * 2)
    return clip


def test_a_copy_is_as_old_as_its_original_and_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gr, "Info", lambda message: None)
    service, me = Service(str(tmp_path)), gr.Request(session_hash="me")
    copy = Path(service.prepare(str(_upload(tmp_path, "old", KEPT - 60)), me))
    shown = service.show(make_analysis(), str(copy), "text", request=me)
    saved = [file for file in offered(shown) if file.suffix == ".json"]
    assert copy.exists()
    assert saved[0].name == "old.json"
    later = time.time() + 120
    monkeypatch.setattr("time.time", lambda: later)
    sweep(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_a_newer_upload_is_not_replaced_by_the_copy_of_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gr, "Info", lambda message: None)
    service, me = Service(str(tmp_path)), gr.Request(session_hash="me")
    first, second = _upload(tmp_path, "first"), _upload(tmp_path, "second")
    copies: list[Any] = []

    def make(clip: Path, path: Path, stopped: Callable[[], bool]) -> bool:
        if clip.stem == "first":
            assert not stopped()
            copies.append(service.prepare(str(second), me))
            assert stopped()
        return make_preview(clip, path, stopped)

    monkeypatch.setattr("app.server.preview.make_preview", make)
    assert service.prepare(str(first), me) == gr.skip()
    assert Path(copies[0]).name == "second.mp4"
    assert not service._copies._making


@pytest.mark.parametrize("how", ["cleared", "another", "deleted", "left"])
def test_a_copy_that_is_no_longer_wanted_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(gr, "Info", lambda message: None)
    service, me = Service(str(tmp_path)), gr.Request(session_hash="me")
    clip = _upload(tmp_path, "clip")
    ends: dict[str, Callable[[], object]] = {
        "cleared": lambda: service.forget(None, None, me),
        "another": lambda: service.forget("/elsewhere/sample.mp4", None, me),
        "deleted": lambda: service.delete(me),
        "left": lambda: service.leave(me),
    }
    given: list[bool] = []

    def make(clip: Path, path: Path, stopped: Callable[[], bool]) -> bool:
        service.forget(str(clip), None, me)  # the news of this very video
        service.stop(me)  # an analysis is cancelled, which is another matter
        given.append(stopped())
        ends[how]()
        given.append(stopped())
        return make_preview(clip, path, stopped)

    monkeypatch.setattr("app.server.preview.make_preview", make)
    assert service.prepare(str(clip), me) == gr.skip()
    assert given == [False, True]
    assert not list(tmp_path.rglob("clip.mp4"))


@pytest.mark.parametrize("making", [make_preview, make_seekable])
def test_making_a_copy_ends_when_it_is_told_to(
    tmp_path: Path, making: Callable[[Path, Path, Callable[[], bool]], bool]
) -> None:
    asked = iter([False, False])  # what begins is stopped in its midst
    clip = make_clip(tmp_path / "clip.mp4", 1.0)
    assert not making(clip, tmp_path / "copy.mp4", lambda: next(asked, True))


def test_every_upload_is_prepared_though_one_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")  # restored afterwards
    modes = [e.trigger_mode for e in build_page().fns.values() if e.name == "prepare"]
    assert modes == ["multiple"] * 2
