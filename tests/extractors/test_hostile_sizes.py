"""Clips that cost more than they look: huge pictures, hours in a small file, headers that lie."""

from __future__ import annotations

import re
from pathlib import Path

import av
import pytest
from av.stream import Disposition

from extractors.media.reading import probe
from tests.clips import RATE, Subtitles, make_clip, make_sound
from tests.extractors.whole_way import extract, refused, write_black


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mjpeg")])
def test_huge_pictures_are_refused(tmp_path: Path, name: str, codec: str) -> None:
    refused(write_black(tmp_path / name, (8192, 8192), [0.0], codec), "8,192 pixels across.*_MAX_WIDTH")


def test_a_covers_pixels_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=RATE, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 5000, 20, "rgb24"
        cover.disposition = Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(make_sound("tone", 1.0)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for packet in (
            *voice.encode(frame),
            *voice.encode(None),
            *cover.encode(av.VideoFrame(5000, 20, "rgb24")),
        ):
            container.mux(packet)
    with av.open(str(path)) as container:
        assert container.streams.video[0].disposition & Disposition.attached_pic
    info = probe(path)
    assert (info.has_audio, info.has_video) == (True, False)


def test_pictures_that_grow_too_large_are_passed_over_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("COUPLED_MAMBA_MAX_WIDTH", "COUPLED_MAMBA_MAX_HEIGHT"):
        monkeypatch.setenv(limit, "400")
    small = make_clip(tmp_path / "small.ts", 2.0, sound=None).read_bytes()
    large = write_black(tmp_path / "large.ts", (1280, 720), [0.1 * i for i in range(40)]).read_bytes()
    (tmp_path / "a.ts").write_bytes(small + large)
    found = extract(tmp_path / "a.ts")
    assert (found.info.width, found.info.height) == (320, 240)
    assert found.seen == [True] * 10
    told = re.fullmatch(
        r"The file is damaged or cut short: decoded (\d+) of 60 frames, .*", found.warnings[0]
    )
    assert told is not None
    # The decoder's threads keep the errors of the last few pictures to themselves.
    assert 20 <= int(told[1]) < 40


def test_hours_of_black_in_a_small_file_are_refused(tmp_path: Path) -> None:
    path = write_black(tmp_path / "a.mp4", (320, 240), [float(i) for i in range(7201)])
    assert path.stat().st_size < 3_000_000
    refused(path, "7,200 seconds, more than the limit of 1,800.*_MAX_SECONDS")


def test_hours_of_black_under_a_header_of_two_seconds_are_cut_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_black(tmp_path / "a.mp4", (160, 120), [0.2 * i for i in range(3000)])
    data = bytearray(path.read_bytes())
    for box, place, scale in ((b"mvhd", 20, 1000), (b"tkhd", 24, 1000), (b"mdhd", 20, None)):
        begin = data.index(box) + place
        ticks = 2 * (scale or int.from_bytes(data[begin - 4 : begin], "big"))
        data[begin : begin + 4] = ticks.to_bytes(4, "big")
    path.write_bytes(bytes(data))
    monkeypatch.setenv("COUPLED_MAMBA_MAX_SECONDS", "60")
    found = extract(path)
    assert found.info.duration < 3
    assert len(found.seen) == pytest.approx(300, abs=2)
    assert found.kinds == set()


def test_too_many_streams_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [Subtitles([(0.1, 0.4, "hello")])] * 40
    refused(
        make_clip(tmp_path / "crowd.mkv", 0.5, video=None, subtitles=crowd),
        "The clip has 41 streams, more than the limit of 32: .*_MAX_STREAMS",
    )
    path = make_clip(tmp_path / "a.mkv", 0.5)
    monkeypatch.setenv("COUPLED_MAMBA_MAX_STREAMS", "1")
    refused(path, "2 streams, more than the limit of 1")
    monkeypatch.setenv("COUPLED_MAMBA_MAX_STREAMS", "2")
    assert probe(path).has_video


def test_a_day_between_two_pictures_is_refused(tmp_path: Path) -> None:
    path = write_black(tmp_path / "a.mkv", (160, 120), [0.0, 0.1, 86_400.0])
    refused(path, "86,400 seconds")
