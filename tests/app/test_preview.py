"""Which clips browsers play, and the copies made of those they do not."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from app.preview import is_playable, make_preview
from app.service import Service
from extractors.media import probe, read_sound
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
