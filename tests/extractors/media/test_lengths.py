"""Lengths and times that a header tells wrongly, or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.media import packets
from extractors.media.reading import probe, read_frames, read_sound
from tests.clips import RATE, make_clip, make_picture, make_sound
from tests.extractors.media.test_mixing import tell_seconds, write_packets


def read(path: Path) -> tuple[float, float, float, list[str]]:
    """The clip's seconds, the ends of its pictures and of its sound, and what is told of it."""
    warnings: list[str] = []
    duration = probe(path, warnings=warnings).duration
    frames, sound = list(read_frames(path, warnings=warnings)), read_sound(path, warnings)
    heard = 0.0 if sound is None else sound.start + sound.duration
    return duration, frames[-1].time if frames else 0.0, heard, warnings


def test_matroska_whose_times_begin_late_lasts_what_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_late(tmp_path / "a.mkv", 10.0, 3.0)
    monkeypatch.setenv("COUPLED_MAMBA_MAX_SECONDS", "5")
    duration, seen, heard, warnings = read(path)
    assert (duration, seen, heard) == pytest.approx((3, 2.9, 3), abs=0.1)
    assert warnings == []


def test_an_mp4_cut_by_its_edit_list_is_not_damaged(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 10.0)
    whole = read(path)
    data = bytearray(path.read_bytes())
    scale = int.from_bytes(data[(at := data.index(b"mvhd") + 16) : at + 4], "big")
    begin = 0
    while (begin := data.find(b"elst", begin) + 4) > 3:
        data[begin + 8 : begin + 12] = (4 * scale).to_bytes(4, "big")  # the first entry's length
    path.write_bytes(bytes(data))
    _, seen, heard, warnings = read(path)
    assert whole[3] == warnings == []
    assert (seen, heard) == pytest.approx((4, 4), abs=0.3)


@pytest.mark.parametrize("name", ["a.mpg", "a.ts"])
def test_recordings_joined_one_after_the_other_follow_each_other(tmp_path: Path, name: str) -> None:
    first = make_clip(tmp_path / f"1{name}", 4.0, fps=25, sound="tone").read_bytes()
    second = make_clip(tmp_path / f"2{name}", 3.0, fps=25, sound="silence").read_bytes()
    (tmp_path / name).write_bytes(first + second)
    duration, seen, heard, warnings = read(tmp_path / name)
    assert (duration, seen, heard) == pytest.approx((7, 7, 7), abs=0.3)
    assert warnings == []
    times = [frame.time for frame in read_frames(tmp_path / name)]
    assert len(times) == pytest.approx(175, abs=3)
    sound = read_sound(tmp_path / name)
    assert sound is not None
    loud = np.abs(sound.samples[: 7 * RATE].reshape(-1, RATE)[:7]).max(axis=1) > 0.1
    assert loud.tolist()[:3] == [True] * 3
    assert loud.tolist()[5:] == [False] * 2


def test_an_mp3_of_varying_rate_without_a_length_lasts_what_its_packets_last(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    parts = []
    for rate, kind in ((32_000, "silence"), (320_000, "noise")):
        with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
            stream = container.add_stream("libmp3lame", rate=RATE * 2, layout="mono")
            stream.bit_rate = rate
            frame = av.AudioFrame.from_ndarray(
                np.repeat(make_sound(kind, 8.0), 2)[None], format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE * 2, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))
    duration, _, heard, warnings = read(path)
    assert (duration, heard) == pytest.approx((16, 16), abs=0.3)
    assert warnings == []


def test_what_lasts_longer_than_the_file_says_is_told(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", 6.0, video=None)
    tell_seconds(path, 2.0)
    duration, _, _, (told,) = read(path)
    assert duration == pytest.approx(2)
    assert told.startswith("The file says that it lasts 2.0 s and holds sound until 6.")


def test_slides_are_no_holes(tmp_path: Path) -> None:
    slides = make_clip(tmp_path / "a.mkv", 26.0, times=[4.0 * i for i in range(7)])
    assert read(slides)[3] == []
    camera = [0.1 * i for i in range(250) if not 100 <= i < 140]
    assert read(make_clip(tmp_path / "b.mkv", 25.0, times=camera))[3] == [
        "The file holds no pictures for 4.0 s of its time."
    ]


def test_tiny_packets_without_end_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "MOST_PACKETS", 50)
    monkeypatch.setattr(packets, "MOST_A_SECOND", 100)
    path = write_packets(tmp_path / "a.mkv", [(i, np.ones(16, np.int16)) for i in range(300)])
    _, _, heard, warnings = read(path)
    assert heard < 0.1
    assert warnings == ["The file is damaged: reading its sound ended at 0.1 s."]
    steady = write_packets(tmp_path / "b.mkv", [(20 * i, np.ones(320, np.int16)) for i in range(300)])
    assert read(steady)[2:] == (pytest.approx(6), [])


def write_late(path: Path, begin: float, seconds: float) -> Path:
    """Pictures and sound whose first time stamp is `begin`."""
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        pictures = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for i in range(round(10 * seconds)):
            image = av.VideoFrame.from_ndarray(make_picture("plain", (64, 48), i / 10), format="bgr24")
            image.pts, image.time_base = round(10 * begin) + i, Fraction(1, 10)
            container.mux(pictures.encode(image))
            tone = (make_sound("tone", 0.1)[None] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, round((begin + i / 10) * RATE)
            container.mux(voice.encode(frame))
        container.mux(pictures.encode(None))
        container.mux(voice.encode(None))
    return path
