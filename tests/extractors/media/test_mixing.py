"""Sound that would last, or weigh, more than a clip can hold, and sound of more channels than have names."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.media import mixing
from extractors.media.mixing import Mixer
from extractors.media.reading import Limits, read_sound
from tests.clips import RATE, make_sound


def test_one_packet_of_a_few_samples_a_second_does_not_last_for_hours(tmp_path: Path) -> None:
    """40 KB at 8 Hz are 42 minutes, and 160 MB once they are heard; the header says a second."""
    path = write_packets(tmp_path / "a.mkv", [(0, np.ones(20_000, np.int16))], rate=8)
    tell_seconds(path, 1.0)
    warnings: list[str] = []
    assert read_sound(path, warnings) is None
    assert len(warnings) == 1


def test_a_frame_that_ends_after_the_longest_clip_is_left_out() -> None:
    mixer = Mixer(10.0)
    assert mixer.add(0.0, make_frame(np.zeros(RATE)))
    assert not mixer.add(1.0, make_frame(np.zeros(30 * RATE)))
    assert mixer.overfull
    sound = mixer.sound()
    assert sound is not None
    assert sound.duration == pytest.approx(1)


def test_frames_at_one_and_the_same_time_are_not_kept_without_end() -> None:
    mixer = Mixer(10.0)
    assert sum(mixer.add(0.0, make_frame(np.zeros(RATE))) for _ in range(40)) <= 21
    assert mixer.overfull


@pytest.mark.parametrize("limit", ["MOST_PIECES", "FIRST_PIECES"])
def test_sound_in_countless_pieces_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(mixing, limit, 50)
    path = write_packets(tmp_path / "a.mkv", [(0, np.ones(1600, np.int16))] * 80)
    warnings: list[str] = []
    assert read_sound(path, warnings) is not None
    assert warnings == ["The file is damaged: reading its sound ended at 0.1 s."]


@pytest.mark.parametrize("count", [9, 11, 40, 100])
def test_any_number_of_channels_is_mixed(tmp_path: Path, count: int) -> None:
    heard = (make_sound("tone", 1.0) * 32767).astype(np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(count)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.repeat(heard[:, None], count, axis=1).tobytes())
    warnings: list[str] = []
    sound = read_sound(tmp_path / "a.wav", warnings)
    assert sound is not None
    assert warnings == []
    assert sound.samples[:RATE] == pytest.approx(heard / 32768, abs=0.01)


def test_sound_that_cannot_be_converted_counts_as_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing, "MIXED", set(range(100)))  # ffmpeg knows no way to mix nine channels
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(9)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(18 * RATE))
    warnings: list[str] = []
    assert read_sound(tmp_path / "a.wav", warnings, Limits()) is None
    assert "decoded 0 of" in warnings[0]


def make_frame(samples: np.ndarray) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
    frame.sample_rate = RATE
    return frame


def write_packets(path: Path, packets: list[tuple[int, np.ndarray]], rate: int = RATE) -> Path:
    """Packets of 16-bit samples, each at its time in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for begin, samples in packets:
            packet = av.Packet(samples.tobytes())
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = begin
            container.mux(packet)
    return path


def tell_seconds(path: Path, seconds: float) -> None:
    """Have a Matroska file's header say that it lasts so long."""
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = np.array(1000 * seconds, ">f8").tobytes()
    path.write_bytes(bytes(data))
