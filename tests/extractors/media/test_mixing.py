"""Sound that would last, or weigh, more than a clip can hold, and sound of more channels than have names."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

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


@pytest.mark.parametrize("width", [1, 2])  # bytes of a sample; one has no sign
@pytest.mark.parametrize("count", [9, 11, 40, 100])
def test_any_number_of_channels_is_mixed(tmp_path: Path, count: int, width: int) -> None:
    tone = make_sound("tone", 1.0)
    heard = (tone * 32767).astype(np.int16) if width == 2 else (tone * 127 + 128).astype(np.uint8)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(count)
        file.setsampwidth(width)
        file.setframerate(RATE)
        file.writeframes(np.repeat(heard[:, None], count, axis=1).tobytes())
    warnings: list[str] = []
    sound = read_sound(tmp_path / "a.wav", warnings)
    assert sound is not None
    assert warnings == []
    assert sound.samples[:RATE] == pytest.approx(tone, abs=0.01)


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


@pytest.mark.parametrize(
    ("form", "rate"), [("s16", 48_000), ("s16", 44_100), ("u8", 16_000), ("flt", 48_000)]
)
@pytest.mark.parametrize("layout", ["stereo", "3.0", "5.1", "7.1"])
def test_the_same_sound_in_every_channel_is_as_loud_as_in_one(layout: str, form: str, rate: int) -> None:
    count = av.AudioLayout(layout).nb_channels
    heard = 0.9 * np.sin(2 * np.pi * 220 * np.arange(rate) / rate)
    one, all_of_them = (
        mix(heard[None], "mono", form, rate),
        mix(np.tile(heard, (count, 1)), layout, form, rate),
    )
    assert all_of_them == pytest.approx(one, abs=1e-6)
    assert np.abs(all_of_them).max() < 0.92


@pytest.mark.parametrize(("form", "rate"), [("s16", 44_100), ("u8", 16_000), ("fltp", 48_000)])
def test_mono_is_what_ffmpeg_makes_of_it_to_the_bit(form: str, rate: int) -> None:
    frame = make_frame(make_sound("noise", 1.0)[None], "mono", form, rate)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    wanted = [part.to_ndarray()[0] for given in (frame, None) for part in resampler.resample(given)]
    assert np.array_equal(mix(make_sound("noise", 1.0)[None], "mono", form, rate), np.concatenate(wanted))


def test_speech_in_the_centre_alone_or_on_one_side_stays_audible() -> None:
    heard = make_sound("tone", 1.0)
    loud = np.abs(heard).max()
    for layout, channel, share in (("5.1", 2, 0.29), ("stereo", 0, 0.5), ("stereo", 1, 0.5)):
        channels = np.zeros((av.AudioLayout(layout).nb_channels, len(heard)), np.float32)
        channels[channel] = heard
        assert np.abs(mix(channels, layout)).max() / loud == pytest.approx(share, abs=0.01)


def test_numbers_past_the_loudest_and_none_at_all_become_sound() -> None:
    given = np.zeros(RATE, np.float32)
    given[:6] = [1.5, -1.5, np.inf, -np.inf, np.nan, 0.5]
    assert mix(given[None])[:6].tolist() == [1, -1, 1, -1, 0, 0.5]


def test_what_was_before_the_clips_start_is_cut() -> None:
    for count in (1, 2):  # in one piece, and in two
        mixer = Mixer(10.0)
        tone = make_sound("tone", 1.0)
        for k in range(count):
            mixer.add(-0.25 + 3 * k, make_frame(tone))
        sound = mixer.sound()
        assert sound is not None
        assert sound.start == 0
        assert np.array_equal(sound.samples[: RATE // 2], tone[RATE // 4 : 3 * RATE // 4])


def mix(
    channels: np.ndarray, layout: str = "mono", form: str = "fltp", rate: int = RATE
) -> NDArray[np.float32]:
    """What is heard of the channels [channels, samples]."""
    mixer = Mixer(10.0)
    mixer.add(0.0, make_frame(channels, layout, form, rate))
    sound = mixer.sound()
    assert sound is not None
    return sound.samples


def make_frame(
    samples: np.ndarray, layout: str = "mono", form: str = "fltp", rate: int = RATE
) -> av.AudioFrame:
    """A frame of samples [samples] or [channels, samples] in -1..1, of the format "fltp", "flt", "s16" or "u8"."""
    planes = np.atleast_2d(samples).astype(np.float32)
    packed = planes.T.reshape(1, -1)
    if form == "flt":
        planes = packed
    elif form == "s16":
        planes = (packed * 32767).round().astype(np.int16)
    elif form == "u8":
        planes = (packed * 127 + 128).round().astype(np.uint8)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format=form, layout=layout)
    frame.sample_rate = rate
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
