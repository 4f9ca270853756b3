from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.media.reading import Limits, probe, read_frames, read_sound
from extractors.records import InputError
from tests.clips import RATE, lay_out, make_clip, make_picture, make_sound


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx265"),
        ("a.webm", "libvpx-vp9"),
        ("a.mp4", "libsvtav1"),
        ("a.avi", "mpeg4"),
        ("a.mpg", "mpeg1video"),
    ],
)
def test_every_container_and_codec_gives_all_pictures_and_sound(
    tmp_path: Path, name: str, codec: str
) -> None:
    fps = 25 if name.endswith("mpg") else 10
    path = make_clip(tmp_path / name, 2.0, codec=codec, fps=fps)
    warnings: list[str] = []
    info = probe(path, warnings=warnings)
    assert (info.width, info.height, info.has_video, info.has_audio) == (320, 240, True, True)
    assert info.duration == pytest.approx(2.0, abs=0.15)
    frames = list(read_frames(path, warnings=warnings))
    assert len(frames) == 2 * fps
    assert np.diff([f.time for f in frames]) == pytest.approx(1 / fps, abs=0.002)
    assert frames[0].image.shape == (240, 320, 3)
    assert np.abs(frames[3].image.astype(int) - make_picture("face", (320, 240), 0.3)).mean() < 12
    sound = read_sound(path, warnings)
    assert sound is not None
    assert sound.rate == RATE
    assert sound.duration == pytest.approx(2.0, abs=0.15)
    assert warnings == []


def test_sound_keeps_its_place_and_shape(tmp_path: Path) -> None:
    sound = read_sound(make_clip(tmp_path / "a.mkv", 3.0, video="plain", layout="stereo", rate=44_100))
    wanted = make_sound("speech", 3.0)
    assert sound is not None
    offset = round(sound.start * RATE)
    count = min(len(wanted) - offset, len(sound.samples))
    assert np.corrcoef(sound.samples[:count], wanted[offset : offset + count])[0, 1] > 0.97


@pytest.mark.parametrize(("layout", "rate"), [("mono", 8_000), ("stereo", 44_100), ("5.1", 48_000)])
def test_any_layout_becomes_mono_at_16_khz(tmp_path: Path, layout: str, rate: int) -> None:
    sound = read_sound(make_clip(tmp_path / "a.mkv", 1.0, video=None, sound="tone", layout=layout, rate=rate))
    assert sound is not None
    spectrum = np.abs(np.fft.rfft(sound.samples[1000:9000]))
    assert np.argmax(spectrum) * RATE / 8000 == pytest.approx(220, abs=3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, degrees: int) -> None:
    path = make_clip(tmp_path / "a.mp4", 0.5, rotation=degrees, sound=None)
    info = probe(path)
    assert info.rotation == degrees
    assert (info.width, info.height) == ((320, 240) if degrees == 180 else (240, 320))
    upright = np.rot90(make_picture("face", (320, 240), 0.0), -degrees // 90)
    assert np.abs(next(read_frames(path)).image.astype(int) - upright).mean() < 12


@pytest.mark.parametrize(
    ("matrix", "rotation", "shown"),
    [
        ((-1, 0, 0, 1), 0, lambda stored: stored[:, ::-1]),
        ((1, 0, 0, -1), 180, lambda stored: stored[::-1]),
        ((0, 1, 1, 0), 270, lambda stored: stored.transpose(1, 0, 2)),
        ((0, -1, -1, 0), 90, lambda stored: stored[::-1, ::-1].transpose(1, 0, 2)),
        ((0, 0, 0, 0), 0, lambda stored: stored),
    ],
)
def test_a_mirrored_clip_is_shown_as_players_do(
    tmp_path: Path,
    matrix: tuple[int, int, int, int],
    rotation: int,
    shown: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> None:
    path = make_clip(tmp_path / "a.mp4", 0.5, sound=None)
    lay_out(path, *matrix)
    info, wanted = probe(path), shown(make_picture("face", (320, 240), 0.0))
    assert (info.height, info.width, info.rotation) == (*wanted.shape[:2], rotation)
    assert np.abs(next(read_frames(path)).image.astype(int) - wanted).mean() < 12


def test_pictures_are_picked_by_time_whatever_the_rate(tmp_path: Path) -> None:
    times = [0, 0.1, 0.15, 0.2, 1.0, 1.05, 3.0, 3.01, 3.02]
    path = make_clip(tmp_path / "a.mkv", times=times, sound=None)
    assert [f.time for f in read_frames(path)] == pytest.approx(times, abs=0.002)
    assert [f.time for f in read_frames(path, per_second=5)] == pytest.approx([0, 0.2, 1.0, 3.0], abs=0.002)


def test_fast_clips_give_one_picture_a_slot(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 2.0, fps=60, sound=None)
    times = np.array([f.time for f in read_frames(path, per_second=5)])
    assert list(np.floor(times * 5 + 1e-6)) == list(range(10))


def test_pictures_are_shrunk_to_the_long_side(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 0.2, size=(1280, 720), sound=None)
    assert next(read_frames(path)).image.shape == (360, 640, 3)
    assert next(read_frames(path, long_side=None)).image.shape == (720, 1280, 3)


def test_only_sound_and_only_pictures(tmp_path: Path) -> None:
    heard = make_clip(tmp_path / "heard.mp4", 1.0, video=None)
    assert (probe(heard).has_video, probe(heard).has_audio) == (False, True)
    assert list(read_frames(heard)) == []
    seen = make_clip(tmp_path / "seen.mp4", 1.0, sound=None)
    assert (probe(seen).has_video, probe(seen).has_audio) == (True, False)
    assert read_sound(seen) is None


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.webm"])
def test_pictures_that_begin_long_after_the_sound_are_seen(tmp_path: Path, name: str) -> None:
    times = [20 + i / 10 for i in range(20)]
    path = make_clip(tmp_path / name, 22.0, sound="tone", rate=48_000, times=times)
    warnings: list[str] = []
    info = probe(path, warnings=warnings)
    assert (info.has_video, info.has_audio) == (True, True)
    assert info.duration == pytest.approx(22, abs=0.2)
    assert [f.time for f in read_frames(path, warnings=warnings)] == pytest.approx(times, abs=0.03)
    assert warnings == []


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_sound_that_begins_long_after_the_pictures_is_heard(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("aac", rate=RATE, layout="mono")
        packets = []
        for i in range(26 * 30):
            frame = av.VideoFrame.from_ndarray(make_picture("plain", (64, 48), i / 30), format="bgr24")
            packets += pictures.encode(frame)
        for begin in range(24 * RATE, 26 * RATE, 1024):
            part = av.AudioFrame.from_ndarray(make_sound("tone", 0.064)[None], format="fltp", layout="mono")
            part.sample_rate, part.pts = RATE, begin
            packets += voice.encode(part)
        packets += [*pictures.encode(None), *voice.encode(None)]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    warnings: list[str] = []
    info = probe(path, warnings=warnings)
    assert (info.has_video, info.has_audio) == (True, True)
    sound = read_sound(path, warnings)
    assert sound is not None
    assert sound.start == pytest.approx(24, abs=0.1)
    assert sound.duration == pytest.approx(2, abs=0.15)
    assert warnings == []


@pytest.mark.parametrize("packets", [0, 3, 700])
def test_only_pictures_that_were_tried_are_said_to_be_no_pictures(tmp_path: Path, packets: int) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mjpeg", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuvj420p"
        voice = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        tone = (make_sound("tone", 1.0)[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(voice.encode(frame))
        for i in range(packets):
            packet = av.Packet(b"no picture at all")
            packet.stream, packet.time_base = pictures, Fraction(1, 1000)
            packet.pts = packet.dts = i
            container.mux(packet)
    warnings: list[str] = []
    info = probe(path, warnings=warnings)
    assert (info.has_video, info.has_audio) == (False, True)
    told = "The clip's pictures cannot be decoded, so it is analysed without."
    assert warnings == ([told] if packets else [])


def test_one_picture_and_50_ms(tmp_path: Path) -> None:
    one = make_clip(tmp_path / "one.mp4", 0.1, sound=None)
    assert len(list(read_frames(one, 5))) == 1
    short = make_clip(tmp_path / "short.mp4", 0.05, fps=20)
    assert 0.04 <= probe(short).duration < 0.1
    assert len(list(read_frames(short, 5))) == 1
    assert read_sound(short) is not None


@pytest.mark.parametrize("name", ["a b.mp4", 'it\'s "quoted".mp4', "видео 視頻.mp4"])
def test_any_name(tmp_path: Path, name: str) -> None:
    assert probe(make_clip(tmp_path / name, 0.3)).has_video


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("hello " * 100)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))
    for name in ("empty.mp4", "text.mp4", "noise.mp4", "missing.mp4", "."):
        with pytest.raises(InputError) as error:
            probe(tmp_path / name)
        assert str(error.value).endswith(".")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    ],
)
def test_playlists_open_no_other_file(tmp_path: Path, text: str) -> None:
    make_clip(tmp_path / "secret.mp4", 0.5)
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(InputError):
        probe(tmp_path / "list.mp4")
    with pytest.raises(InputError):
        read_sound(tmp_path / "list.mp4")


@pytest.mark.parametrize("name", ["cut.mkv", "cut.mpg", "cut.avi"])
def test_a_cut_clip_gives_what_there_is(tmp_path: Path, name: str) -> None:
    path = make_clip(tmp_path / name, 6.0, fps=25)
    whole = len(list(read_frames(path)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = list(read_frames(path))
    assert 0.1 * whole < len(frames) < 0.95 * whole
    assert probe(path).has_video


def test_a_cut_mp4_says_what_share_is_left(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 6.0, video="plain", sound=None, options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    warnings: list[str] = []
    count = len(list(read_frames(path, warnings=warnings)))
    assert 0 < count < 58
    assert len(warnings) == 1
    told = re.search(r"decoded (\d+) of 60 frames, (\d+) %", warnings[0])
    assert told
    assert abs(int(told[1]) - count) <= 1
    assert int(told[2]) == round(100 * int(told[1]) / 60)


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 2.0)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov")])
    with pytest.raises(InputError, match="damaged, or cut short"):
        probe(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("seed", range(20))
def test_flipped_bits_end_in_an_answer_or_one_error(tmp_path: Path, seed: int, name: str) -> None:
    path = make_clip(tmp_path / name, 1.0, size=(160, 120))
    data = bytearray(path.read_bytes())
    generator = np.random.default_rng(seed)
    for place in generator.integers(0, len(data), 20):
        data[place] ^= 1 << int(generator.integers(8))
    path.write_bytes(bytes(data))
    try:
        info = probe(path)
        frames, sound = list(read_frames(path)), read_sound(path)
    except InputError:
        return
    assert info.has_video or info.has_audio
    assert all(f.image.ndim == 3 for f in frames)
    assert sound is None or np.isfinite(sound.samples).all()


def test_a_stream_of_an_unknown_codec_is_passed_over(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", 1.0)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_NOTHING/IS/IT"))
    assert (probe(path).has_video, probe(path).has_audio) == (False, True)


def test_limits_are_checked_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "a.mp4", 2.0)
    for name, value in (
        ("MAX_BYTES", "10"),
        ("MAX_SECONDS", "1"),
        ("MAX_WIDTH", "300"),
        ("MAX_HEIGHT", "200"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(f"COUPLED_MAMBA_{name}", value)
            with pytest.raises(InputError, match=f"COUPLED_MAMBA_{name}"):
                probe(path)
    monkeypatch.setenv("COUPLED_MAMBA_MAX_BYTES", "many")
    with pytest.raises(InputError, match="many"):
        Limits.from_environment()


def test_a_little_past_a_limit_does_not_read_like_the_limit_itself() -> None:
    with pytest.raises(InputError, match="has 1,801 seconds, more than the limit of 1,800"):
        Limits().check("max_seconds", 1800.3, "seconds")


def test_a_recorders_webm_without_a_duration_is_measured(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "live.webm", 3.0, options={"live": "1"})
    assert probe(path).duration == pytest.approx(3.0, abs=0.1)
    assert len(list(read_frames(path, 5))) == 15


def test_a_gap_in_the_sound_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for begin in (0.5, 2.5):
            tone = (make_sound("tone", 0.5)[None] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, round(begin * RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = read_sound(path)
    assert sound is not None
    gap = sound.samples[round(0.6 * RATE) : round(1.9 * RATE)]
    assert sound.duration == pytest.approx(2.5, abs=0.02)
    assert np.abs(gap).max() == 0
    assert np.abs(sound.samples[round(2.05 * RATE) :]).max() > 0.1


def test_real_clips_decode_whole() -> None:
    folder = Path(__file__).parents[4] / "shared" / "media"
    if not folder.is_dir():
        pytest.skip("the clips in ../shared/media are not here")
    for path in sorted(folder.glob("*.mpg")):
        warnings: list[str] = []
        assert len(list(read_frames(path, warnings=warnings))) == 75
        assert warnings == []
