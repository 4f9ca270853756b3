"""The sample clip: made from installed packages alone, once, and never left half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import sample
from app.server import runs
from app.service import warm
from extractors.cache import Cache
from extractors.clip import ClipReader
from extractors.media.reading import probe, read_frames, read_sound
from extractors.tracks import read_tracks
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


def worked_out(clip: Path, cache: Cache | None, transcript: Path | None = None) -> list[str]:
    """The stages that were worked out and not read from the cache."""
    reader = ClipReader(clip, transcript, cache)
    reader.grid(read_tracks(reader)[1])
    return reader.worked


def test_what_was_found_in_the_sample_is_known_to_everybody_and_what_a_visitor_brings_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUPLED_MAMBA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sample, "SECONDS", 3.0)
    monkeypatch.setattr(sample.make_sample, "__defaults__", (3.0, 0.0))
    warm()
    clip, known = sample.sample_clip(), sorted(sample.stages_folder().iterdir())
    assert known
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,500 --> 00:00:02,000\nnobody else is to read this\n", encoding="utf-8")
    rooms = [tmp_path / name for name in ("one", "other")]
    caches = [runs._cache_of(room.name, clip, room) for room in rooms]
    assert worked_out(clip, caches[0]) == []
    assert worked_out(clip, caches[0], words) == ["given", "text", "grid"]
    assert worked_out(clip, caches[0], words) == []
    assert worked_out(clip, caches[1], words) == ["given", "text", "grid"]
    assert sorted(sample.stages_folder().iterdir()) == known
    copy = tmp_path / "mine.mp4"
    copy.write_bytes(clip.read_bytes()[:-1])
    own = runs._cache_of("one", copy, rooms[0])
    assert own == Cache(rooms[0] / "stages", owner="one")
