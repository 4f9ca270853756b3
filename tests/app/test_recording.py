"""What browsers record: webm without a length or an index, pictures at uneven times, the end cut off."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from app.analyze import analyze
from app.server.preview import is_playable, is_seekable, make_seekable
from extractors.media.reading import probe, read_frames, read_sound
from tests.clips import RATE, make_clip, make_sound

TIMES = [
    0.0,
    0.07,
    0.13,
    0.2,
    0.27,
    0.9,
    0.97,
    1.3,
    1.7,
    1.73,
    1.8,
    2.4,
    2.47,
    2.53,
    2.9,
    3.2,
    3.27,
    3.6,
    3.9,
]
"""Seconds: the camera's fifteen a second, with the pauses of a busy computer."""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """As Chromium's MediaRecorder leaves it, with the last bytes missing."""
    whole = make_clip(
        tmp_path / "whole.webm", 4.0, codec="libvpx", times=TIMES, rate=48_000, options={"live": "1"}
    )
    path = tmp_path / "sample.webm"
    path.write_bytes(whole.read_bytes()[:-600])
    return path


def test_a_recording_has_its_own_times(recording: Path) -> None:
    warnings: list[str] = []
    info = probe(recording, warnings=warnings)
    shown = [frame.time for frame in read_frames(recording, warnings=warnings)]
    sound = read_sound(recording, warnings)
    assert sound is not None
    assert shown == pytest.approx(TIMES[: len(shown)], abs=0.002)
    assert len(shown) >= len(TIMES) - 2
    assert info.duration == pytest.approx(4.0, abs=0.3)
    assert sound.duration == pytest.approx(4.0, abs=0.3)
    assert not warnings  # a recording that was stopped is not a damaged file


def test_a_copy_that_can_be_jumped_about_in_holds_the_same_packets(recording: Path, tmp_path: Path) -> None:
    assert is_playable(recording)
    assert not is_seekable(recording)
    copy = tmp_path / "copy.webm"
    assert make_seekable(recording, copy)
    assert is_seekable(copy)
    assert _packets(copy) == _packets(recording)
    with av.open(str(copy)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(probe(recording).duration, abs=0.1)


def _packets(path: Path) -> list[tuple[str, int | None, int]]:
    with av.open(str(path)) as container:
        packets = [(p.stream.type, p.pts, p.size) for p in container.demux() if p.size]
    return sorted(packets, key=lambda packet: (packet[0], packet[1] or 0))


def test_what_is_no_recording_gets_no_copy(tmp_path: Path) -> None:
    (tmp_path / "text.webm").write_text("no video")
    assert is_seekable(tmp_path / "text.webm")  # nothing to mend: the analysis says what is wrong
    assert not make_seekable(tmp_path / "text.webm", tmp_path / "copy.webm")
    assert is_seekable(make_clip(tmp_path / "a.mp4", 0.5))
    assert is_seekable(make_clip(tmp_path / "a.webm", 0.5))


def test_a_recording_is_analysed_at_its_own_times(recording: Path) -> None:
    analysis = analyze(recording)
    assert set(analysis.sentiment.alone) == {"text", "audio", "visual"}
    assert analysis.clip.duration == pytest.approx(4.0, abs=0.3)
    assert len(analysis.ticks.start) == pytest.approx(20, abs=2)
    said = analysis.transcript.words
    begin = float(np.argmax(np.abs(make_sound("speech", 4.0)) > 0.05)) / RATE
    assert said[0].start == pytest.approx(begin, abs=0.25)
    assert said[-1].end <= analysis.clip.duration + 0.01
    # A face that is there throughout is seen throughout, also over the pauses of the camera.
    seen = np.asarray(analysis.presence["visual"]) > 0
    assert seen[:18].all()
