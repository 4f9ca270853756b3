"""The sample clip: made from installed packages alone, once, and never left half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import sample
from extractors.media.reading import probe, read_frames, read_sound
from extractors.voice.vad import find_speech


def test_sample_has_a_face_sized_picture_and_speech(tmp_path: Path) -> None:
    path = tmp_path / "sample.mp4"
    sample.make_sample(path, 3.0)
    info = probe(path)
    assert (info.width, info.height, info.has_audio, info.has_video) == (640, 480, True, True)
    assert info.duration == pytest.approx(3.0, abs=0.1)
    sound = read_sound(path)
    assert sound is not None
    assert sum(s.end - s.start for s in find_speech(sound)) > 1.0
    first, *_, last = read_frames(path, per_second=5)
    assert (first.image != last.image).mean() > 0.5  # it moves


def test_sample_is_made_once_in_the_cache_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sample, "make_sample", lambda path: path.write_bytes(b"made"))
    path = sample.sample_clip()
    assert path.parent == tmp_path / "cache"
    assert [p.name for p in path.parent.iterdir()] == [sample.NAME]
    monkeypatch.setattr(sample, "make_sample", lambda path: pytest.fail("made twice"))
    assert sample.sample_clip() == path


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path))
    monkeypatch.setattr(sample, "make_sample", fail)
    with pytest.raises(OSError, match="disk full"):
        sample.sample_clip()
    assert not list(tmp_path.iterdir())


def test_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUPLED_MAMBA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert sample.cache_folder() == tmp_path / "coupled-mamba"
