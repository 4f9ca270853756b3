"""Recordings joined by writing one after the other: all of each, where it belongs, whatever streams each has."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from extractors.clip import ClipReader
from extractors.media import packets as media_packets
from extractors.media.packets import packets
from extractors.media.reading import probe, read_frames, read_sound
from tests.clips import RATE, make_clip, make_sound


def join(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def loud_seconds(path: Path) -> list[int]:
    """The whole seconds of the clip in whose middle a tone is heard."""
    sound = read_sound(path)
    assert sound is not None
    heard = np.concatenate([np.zeros(round(sound.start * RATE), np.float32), sound.samples])
    return [
        k for k in range(len(heard) // RATE) if np.abs(heard[k * RATE :][RATE // 4 : RATE // 2]).max() > 0.1
    ]


@pytest.mark.parametrize("ending", ["mpg", "ts"])
@pytest.mark.parametrize("silent", [4.0, 12.0])
def test_sound_that_only_a_later_recording_has_is_heard_with_its_pictures(
    tmp_path: Path, ending: str, silent: float
) -> None:
    first = make_clip(tmp_path / f"1.{ending}", silent, fps=25, video="plain", sound=None)
    second = make_clip(tmp_path / f"2.{ending}", 4.0, fps=25, video="plain", sound="tone")
    path = join(tmp_path / f"a.{ending}", first, second)
    assert probe(path).duration == pytest.approx(silent + 4, abs=0.3)
    assert loud_seconds(path) == [int(silent) + k for k in range(4)]


@pytest.mark.parametrize("ending", ["mpg", "ts"])
def test_sound_that_one_recording_in_between_lacks_stays_with_its_pictures(
    tmp_path: Path, ending: str
) -> None:
    heard = make_clip(tmp_path / f"1.{ending}", 4.0, fps=25, video="plain", sound="tone")
    silent = make_clip(tmp_path / f"2.{ending}", 6.0, fps=25, video="plain", sound=None)
    assert loud_seconds(join(tmp_path / f"a.{ending}", heard, silent, heard)) == [0, 1, 2, 3, 10, 11, 12, 13]


@pytest.mark.parametrize("codec", ["libopus", "flac"])
@pytest.mark.parametrize("serial", ["0", "77"])
def test_an_ogg_of_two_links_lasts_and_holds_both(tmp_path: Path, codec: str, serial: str) -> None:
    first = write_ogg(tmp_path / "1.ogg", codec, "tone", 3.0)
    second = write_ogg(tmp_path / "2.ogg", codec, "silence", 2.0, {"serial_offset": serial})
    third = write_ogg(tmp_path / "3.ogg", codec, "tone", 2.0, {"serial_offset": "99"})
    path, warnings = join(tmp_path / "a.ogg", first, second, third), list[str]()
    assert probe(path, warnings=warnings).duration == pytest.approx(7, abs=0.1)
    sound = read_sound(path, warnings)
    assert sound is not None
    assert (sound.start, sound.duration) == pytest.approx((0, 7), abs=0.1)
    assert loud_seconds(path) == [0, 1, 2, 5, 6]
    assert warnings == []


def test_a_file_joined_to_one_that_cannot_follow_it_is_told(tmp_path: Path) -> None:
    """The times of the second are those of the first: its sound takes the place, its pictures are not seen."""
    first = make_clip(tmp_path / "1.webm", 3.0, video="plain", fps=25)
    path = join(tmp_path / "a.webm", first, make_clip(tmp_path / "2.webm", 4.0, video="plain", fps=25))
    alone, warnings = list[str](), list[str]()
    for clip, told in ((first, alone), (path, warnings)):
        read_sound(clip, told)
        list(read_frames(clip, warnings=told))
    assert alone == []
    shares = [
        re.search(r"decoded (\d+) of (\d+) (frames|packets of sound), 5\d %", told) for told in warnings
    ]
    assert [share and share[3] for share in shares] == ["packets of sound", "frames"]


@pytest.mark.parametrize("caught_up", [False, True])
def test_sound_written_long_after_its_pictures_is_no_other_recording(caught_up: bool) -> None:
    pictures, sound = steady(0, 0.0, 6.0), steady(1, 0.0, 6.0)
    order = [
        *pictures[:40],
        *sound[: 45 if caught_up else 20],
        *pictures[40:],
        *sound[45 if caught_up else 20 :],
    ]
    found = list(packets(fake(order)))
    assert [p.stream.index for p in found].index(1) < 55  # once the pictures went on for a second
    for index in (0, 1):
        assert [p.dts for p in found if p.stream.index == index] == [100 * i for i in range(60)]


def test_no_more_packets_are_kept_back_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_packets, "MOST_HELD", 10)
    order = [*steady(0, 0.0, 4.0), *steady(1, 0.0, 2.0), *steady(0, 0.0, 1.0)]
    found = [p.dts for p in packets(fake(order)) if p.stream.index == 1]
    assert found == [100 * i for i in range(20)]


@pytest.mark.parametrize(("ending", "is_known"), [("mpg", True), ("ts", False)])
def test_a_stream_that_appears_after_the_opening_is_told_and_all_else_is_read(
    tmp_path: Path, ending: str, is_known: bool
) -> None:
    """Of AAC in a transport stream ffmpeg knows no channels unless it was there at the opening."""
    silent = write_heavy(tmp_path / f"1.{ending}", 3.0)
    heard = make_clip(tmp_path / f"2.{ending}", 2.0, fps=25, video="plain", sound="tone", codec="mpeg2video")
    path = join(tmp_path / f"a.{ending}", silent, heard, silent)
    with av.open(str(path)) as container:
        assert not container.streams.audio
    clip = ClipReader(path)
    assert clip.info.duration == pytest.approx(8, abs=0.1)
    assert clip.sound() is None
    told = "The clip's sound cannot be decoded, so it is analysed without."
    assert clip.warnings == ([told] if is_known else [])
    assert len(list(read_frames(path))) == pytest.approx(200, abs=2)


def write_ogg(
    path: Path, codec: str, kind: str, seconds: float, options: dict[str, str] | None = None
) -> Path:
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(make_sound(kind, seconds)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(index: int, begin: float, end: float) -> list[Any]:
    """A stream's packets, ten a second and of one byte, as a container gives them."""
    stream = SimpleNamespace(index=index)
    return [
        SimpleNamespace(stream=stream, dts=time, pts=time, duration=100, size=1, time_base=Fraction(1, 1000))
        for time in range(round(1000 * begin), round(1000 * end), 100)
    ]


def fake(order: list[Any]) -> Any:
    """A transport stream of these packets."""
    return SimpleNamespace(format=SimpleNamespace(name="mpegts"), start_time=0, demux=lambda: iter(order))


def write_heavy(path: Path, seconds: float) -> Path:
    """Pictures of noise, more bytes of them than ffmpeg looks at to find the streams (5 MB)."""
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "mpeg2video", rate=25, options={"g": "1", "qmin": "1", "qmax": "2"}
        )
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 480, "yuv420p", 40_000_000
        for _ in range(round(25 * seconds)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="bgr24")))
        container.mux(stream.encode(None))
    assert path.stat().st_size > 6_000_000
    return path
