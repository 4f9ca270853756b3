"""Odd sound: none, no speech in it, any layout, a voice on one channel, channels that cancel each other out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.media import reading
from extractors.media.reading import read_sound
from extractors.records import Transcript
from tests.clips import RATE, make_clip, make_sound
from tests.extractors.whole_way import extract
from tests.sounds import SOUNDS


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_no_sound(tmp_path: Path, name: str) -> None:
    found = extract(make_clip(tmp_path / name, 1.0, sound=None))
    assert found.kinds == {"visual"}
    assert not found.info.has_audio
    assert found.warnings == []


@pytest.mark.parametrize("sound", ["silence", "music", "noise", "tone"])
def test_sound_without_speech_invents_no_words(tmp_path: Path, sound: str) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 4.0, sound=sound))
    assert found.transcript == Transcript()
    assert found.kinds == {"visual"}


@pytest.mark.parametrize("name", ["chords", "pink noise", "applause", "speech under noise"])
def test_a_sound_track_is_heard_for_what_it_is(tmp_path: Path, name: str) -> None:
    """Through the lossy coding of a clip too, music, noise and claps hold no words, and speech over noise does."""
    count = 6 * RATE
    heard = (
        SOUNDS[name](count)
        if name in SOUNDS
        else make_sound("speech", 6.0) + 0.02 * SOUNDS["pink noise"](count)
    )
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(heard[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = extract(path)
    assert found.kinds == (set() if name in SOUNDS else {"text", "audio"})
    assert ("times" in " ".join(word.word for word in found.transcript.words)) == (name not in SOUNDS)


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_words_are_heard_in_any_layout(tmp_path: Path, layout: str) -> None:
    found = extract(make_clip(tmp_path / "a.mkv", 4.0, video=None, layout=layout, rate=48_000))
    assert "times" in " ".join(word.word for word in found.transcript.words)


@pytest.mark.parametrize(("layout", "channel"), [("stereo", 0), ("stereo", 1), ("5.1", 2)])
def test_a_voice_on_one_channel_is_heard(tmp_path: Path, layout: str, channel: int) -> None:
    path = tmp_path / "a.mkv"
    write_channels(path, layout, {channel: make_sound("speech", 4.0)})
    assert "times" in " ".join(word.word for word in extract(path).transcript.words)


def test_channels_that_cancel_each_other_out_are_heard_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    heard = make_sound("speech", 4.0)
    write_channels(path, "stereo", {0: heard, 1: -heard})
    assert "times" in " ".join(word.word for word in extract(path).transcript.words)


@pytest.mark.parametrize(("layout", "times"), [("mono", 1), ("stereo", 2)])
def test_quiet_sound_of_one_channel_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, times: int
) -> None:
    path = make_clip(tmp_path / "a.mkv", 1.0, video=None, sound="quiet", layout=layout)
    opened: list[object] = []
    mixer = reading.Mixer
    monkeypatch.setattr(reading, "Mixer", lambda *given: opened.append(given) or mixer(*given))
    assert read_sound(path) is not None
    assert len(opened) == times


def test_a_silent_track_is_passed_over_for_one_that_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    write_tracks(path, [make_sound("silence", 4.0), make_sound("silence", 4.0), make_sound("speech", 4.0)])
    found = extract(path)
    assert "times" in " ".join(word.word for word in found.transcript.words)
    assert found.warnings == ["The clip's first track of sound is silent: track 3 was heard."]


@pytest.mark.parametrize("broken", [0, 1])
def test_the_damage_that_is_told_is_that_of_the_track_that_is_heard(tmp_path: Path, broken: int) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for second in range(6):
            for number, (stream, kind) in enumerate(zip(streams, ("silence", "speech"), strict=True)):
                if number == broken and 2 <= second < 4:
                    continue
                samples = (make_sound(kind, 1.0) * 32767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE, second * RATE
                container.mux(stream.encode(frame))
    warnings: list[str] = []
    assert read_sound(path, warnings) is not None
    passed_over = "The clip's first track of sound is silent: track 2 was heard."
    hole = ["The file holds no sound for 2.0 s of its time."]
    assert warnings == [passed_over, *(hole if broken == 1 else [])]


def test_where_all_tracks_are_silent_the_first_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    write_tracks(path, [make_sound("silence", 2.0), make_sound("silence", 1.0)])
    warnings: list[str] = []
    sound = read_sound(path, warnings)
    assert sound is not None
    assert len(sound.samples) / RATE == pytest.approx(2, abs=0.1)
    assert warnings == []


@pytest.mark.parametrize("name", ["a.mov", "a.avi", "a.wav"])
def test_uncompressed_sound_that_is_whole_is_not_called_damaged(tmp_path: Path, name: str) -> None:
    """Headers of mov and avi count its samples, of which a packet holds a thousand."""
    write_tracks(tmp_path / name, [make_sound("speech", 3.0)])
    warnings: list[str] = []
    assert read_sound(tmp_path / name, warnings) is not None
    assert warnings == []


def write_tracks(path: Path, tracks: Sequence[np.ndarray]) -> None:
    """A file of several tracks of sound, as recorders of screens make them."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in tracks]
        for stream, heard in zip(streams, tracks, strict=True):
            samples = (heard * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def write_channels(path: Path, layout: str, given: dict[int, np.ndarray]) -> None:
    """A sound whose channels are the ones given, the others silent."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout=layout)
        samples = np.zeros((len(next(iter(given.values()))), 6 if layout == "5.1" else 2), np.int16)
        for channel, heard in given.items():
            samples[:, channel] = heard * 32767
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
