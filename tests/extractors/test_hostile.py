"""Hostile and odd clips through everything that extractors does: the right answer in time, or one sentence.

test_media looks closely at decoding; here each clip goes the whole way, from its file to the grid.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.embedded import read_embedded
from extractors.face import describe_track, find_faces
from extractors.grid import to_grid
from extractors.media import probe, read_frames, read_sound
from extractors.records import Grid, InputError, MediaInfo, Track, Transcript
from extractors.text import embed_words
from extractors.vad import find_speech
from extractors.voice import describe_voice
from extractors.words import recognise
from tests.clips import RATE, make_clip, make_picture, make_sound, turn_clip
from tests.sounds import SOUNDS

WITHIN = 10.0  # seconds that any clip may take, once libraries and weights are loaded
IN_OPEN = 0x20  # inotify's event for a file that is opened


@dataclass
class Found:
    """What came of a clip."""

    info: MediaInfo
    transcript: Transcript
    tracks: dict[str, Track]
    boxes: np.ndarray
    grid: Grid
    warnings: list[str]

    @property
    def kinds(self) -> set[str]:
        """Modalities that are present on the grid."""
        return {name for name, presence in self.grid.presence.items() if presence.any()}

    @property
    def seen(self) -> list[bool]:
        """Whether there was a face, for each picture looked at."""
        return (self.tracks["visual"].confidence > 0).tolist() if "visual" in self.tracks else []


def extract(path: Path) -> Found:
    """The whole way from a clip to its grid, which must end within the time that is granted."""
    begin = time.perf_counter()
    try:
        return _extract(path)
    finally:
        assert time.perf_counter() - begin < WITHIN


def _extract(path: Path) -> Found:
    warnings: list[str] = []
    info = probe(path, warnings=warnings)
    sound = read_sound(path, warnings) if info.has_audio else None
    speech = find_speech(sound) if sound is not None else ()
    transcript = read_embedded(path, sound, speech, info.duration, warnings)
    if transcript is None:
        transcript = recognise(sound, speech) if sound is not None else Transcript()
    tracks = {}
    if transcript.words:
        tracks["text"] = embed_words(transcript)
    if sound is not None and speech:
        tracks["audio"] = describe_voice(sound, speech)
    faces = find_faces(read_frames(path, 5, warnings=warnings) if info.has_video else ())
    if len(faces.time):
        tracks["visual"] = describe_track(faces)
    return Found(info, transcript, tracks, faces.boxes, to_grid(tracks, info.duration), warnings)


def refused(path: Path, said: str) -> None:
    """The clip ends in one error of one sentence, which says so, whichever way it is opened."""
    ways: list[Callable[[Path], object]] = [extract, probe, read_sound, lambda p: list(read_frames(p))]
    for way in ways:
        with pytest.raises(InputError, match=said) as error:
            way(path)
        assert str(error.value).endswith(".")
        assert "\n" not in str(error.value)


@pytest.fixture(scope="module", autouse=True)
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """A clip with everything, which also loads the libraries and weights, outside of the time that is taken."""
    return _extract(make_clip(tmp_path_factory.mktemp("whole") / "whole.mp4", 3.0))


def test_a_clip_with_everything_has_everything(loaded: Found) -> None:
    assert loaded.kinds == {"text", "audio", "visual"}
    assert all(loaded.seen)
    assert loaded.warnings == []


# What is no clip


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile canary.mp4\n",
    "ffconcat with its options": "ffconcat version 1.0\nfile 'canary.mp4'\noption safe 0\nduration 1.0\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\ncanary.mp4\n#EXT-X-ENDLIST\n",
    "hls of variants": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\ncanary.mp4\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        '<Representation id="1" bandwidth="1"><BaseURL>canary.mp4</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """Whether anybody has opened tmp_path / "canary.mp4" since the last call."""
    if not sys.platform.startswith("linux"):
        pytest.skip("inotify is Linux's")
    make_clip(tmp_path / "canary.mp4", 0.5)
    library = ctypes.CDLL(None, use_errno=True)
    watch = library.inotify_init1(os.O_NONBLOCK)
    assert library.inotify_add_watch(watch, os.fsencode(tmp_path / "canary.mp4"), IN_OPEN) > 0

    def has_been() -> bool:
        try:
            return bool(os.read(watch, 4096))
        except BlockingIOError:
            return False

    yield has_been
    os.close(watch)


@pytest.mark.parametrize("kind", list(PLAYLISTS))
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
def test_playlists_are_refused_and_open_no_other_file(
    tmp_path: Path, opened: Callable[[], bool], kind: str, name: str
) -> None:
    (tmp_path / name).write_text(PLAYLISTS[kind])
    refused(tmp_path / name, "cannot be read as a video")
    assert not opened()


def test_the_canary_would_tell(tmp_path: Path, opened: Callable[[], bool]) -> None:
    (tmp_path / "list.mp4").write_text(PLAYLISTS["ffconcat"])
    with av.open(str(tmp_path / "list.mp4")):
        pass
    assert opened()


@pytest.mark.parametrize("data", [b"", b"hello " * 100, np.random.default_rng(0).bytes(50_000)])
def test_what_is_no_clip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    refused(tmp_path / "a.mp4", "is empty" if not data else "cannot be read as a video")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.mp4", "concat:canary.mp4", "file:canary.mp4", "-"])
def test_addresses_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    make_clip(tmp_path / "canary.mp4", 0.5)
    monkeypatch.chdir(tmp_path)
    refused(Path(address), "There is no file")


# What is damaged


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mpg"])
def test_a_clip_cut_short_gives_what_is_left(tmp_path: Path, name: str) -> None:
    options = {"movflags": "faststart"} if name == "a.mp4" else None
    path = make_clip(tmp_path / name, 6.0, fps=25 if name == "a.mpg" else 10, options=options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = extract(path)
    assert found.kinds == {"text", "audio", "visual"}
    assert 3 < len(found.seen) < 29
    # A program stream has no header that would promise more than there is.
    assert bool(found.warnings) == (name != "a.mpg")
    assert all("damaged or cut short: decoded" in warning for warning in found.warnings)


def test_a_clip_damaged_in_its_middle_says_what_share_was_decoded(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 8.0, sound=None, codec="mpeg4", fps=25)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + len(data) // 4
    data[begin : begin + len(data) // 4] = np.random.default_rng(1).bytes(len(data) // 4)
    path.write_bytes(bytes(data))
    found = extract(path)
    (warning,) = found.warnings
    told = re.fullmatch(r"The file is damaged or cut short: decoded (\d+) of 200 frames, (\d+) %\.", warning)
    assert told is not None
    assert 100 < int(told[1]) < 170
    assert int(told[2]) == round(int(told[1]) / 2)
    assert 20 < sum(found.seen) < 36


def test_a_hole_in_a_clip_without_an_index_is_told(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", 12.0, codec="mpeg4", fps=25)
    data = bytearray(path.read_bytes())
    begin, length = len(data) // 4, len(data) // 2
    data[begin : begin + length] = np.random.default_rng(1).bytes(length)
    path.write_bytes(bytes(data))
    warnings: list[str] = []
    seen = len(list(read_frames(path, 5, warnings=warnings)))
    read_sound(path, warnings)
    pictures, sound = (
        re.fullmatch(rf"The file holds no {what} for (\d+\.\d) s of its time\.", warning)
        for what, warning in zip(("pictures", "sound"), warnings, strict=True)
    )
    assert pictures is not None
    assert sound is not None
    assert float(pictures[1]) == pytest.approx(12 - seen / 5, abs=0.5)
    assert float(sound[1]) > 2


def test_a_clip_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 2.0)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov")])
    refused(path, "damaged, cut short")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A short clip with a face and speech, as bytes."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    return make_clip(path, 1.5, size=(160, 120)).read_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_ends_in_an_answer_or_one_sentence(tmp_path: Path, plain: bytes, seed: int) -> None:
    data = bytearray(plain)
    generator = np.random.default_rng(seed)
    data[generator.integers(len(data))] ^= 1 << int(generator.integers(8))
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(data))
    try:
        found = extract(path)
    except InputError:
        refused(path, "")
        return
    assert found.info.has_video or found.info.has_audio
    for name, values in found.grid.values.items():
        assert np.isfinite(values).all(), name


# What is too large


def write_black(path: Path, size: tuple[int, int], times: list[float], codec: str = "libx264") -> Path:
    """Black pictures at the given seconds."""
    with av.open(str(path), "w") as container:
        fast = {"preset": "ultrafast"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=25, options=fast)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        frame = av.VideoFrame(*size, stream.pix_fmt)
        for plane, grey in zip(frame.planes, (16, 128, 128), strict=True):
            plane.update(bytes([grey]) * plane.buffer_size)
        for moment in times:
            frame.pts, frame.time_base = round(1000 * moment), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mjpeg")])
def test_huge_pictures_are_refused(tmp_path: Path, name: str, codec: str) -> None:
    refused(write_black(tmp_path / name, (8192, 8192), [0.0], codec), "8,192 pixels across.*_MAX_WIDTH")


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


def test_a_day_between_two_pictures_is_refused(tmp_path: Path) -> None:
    path = write_black(tmp_path / "a.mkv", (160, 120), [0.0, 0.1, 86_400.0])
    refused(path, "86,400 seconds")


# What is odd


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 0.03, 0.06, 0.1, 0.5, 1.4, 1.45, 2.8, 2.9]
    found = extract(make_clip(tmp_path / "a.mkv", times=times, sound=None))
    assert found.tracks["visual"].start == pytest.approx([0, 0.5, 1.4, 2.8], abs=0.002)
    # A picture stands for a second at most: between 2.4 and 2.8 nothing is known.
    assert found.grid.presence["visual"][12:14] == pytest.approx(0, abs=1e-6)
    assert found.grid.presence["visual"][14] > 0.1


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_clip_is_turned_upright(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(make_clip(tmp_path / "b.mp4", 1.0, sound=None, size=(240, 240)))) as source:
        upright = [frame.to_ndarray(format="bgr24") for frame in source.decode(video=0)]
    make_turned(
        path, [np.ascontiguousarray(np.rot90(picture, degrees // 90)) for picture in upright], degrees
    )
    found = extract(path)
    assert found.info.rotation == degrees
    assert all(found.seen)


def make_turned(path: Path, pictures: list[np.ndarray], degrees: int) -> None:
    """The pictures as they lie in the file, with a header that has players turn them clockwise."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    turn_clip(path, degrees)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_no_sound(tmp_path: Path, name: str) -> None:
    found = extract(make_clip(tmp_path / name, 1.0, sound=None))
    assert found.kinds == {"visual"}
    assert not found.info.has_audio
    assert found.warnings == []


@pytest.mark.parametrize("name", ["a.mp4", "a.wav", "a.mkv"])
def test_only_sound(tmp_path: Path, name: str) -> None:
    found = extract(make_clip(tmp_path / name, 3.0, video=None))
    assert found.kinds == {"text", "audio"}
    assert (found.info.width, found.info.has_video) == (0, False)
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


def test_no_face(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 3.0, video="plain"))
    assert found.kinds == {"text", "audio"}
    assert not any(found.seen)


def test_nothing_at_all_is_an_empty_grid(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 1.0, video="plain", sound="silence"))
    assert found.kinds == set()


def test_of_two_faces_the_same_is_followed_throughout(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 4.0, video="two", sound=None, size=(480, 240)))
    assert all(found.seen)
    assert np.ptp(found.boxes[:, 0]) < 0.1


def test_a_face_that_leaves_and_returns(tmp_path: Path) -> None:
    kinds = ["face"] * 10 + ["plain"] * 10 + ["face"] * 10
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i, kind in enumerate(kinds):
            picture = make_picture(kind, (320, 240), i / 5)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    found = extract(path)
    assert found.seen == [kind == "face" for kind in kinds]
    assert found.grid.presence["visual"].astype(bool).tolist() == found.seen


def test_one_picture(tmp_path: Path) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 0.1, sound=None))
    assert found.seen == [True]
    assert len(found.grid.start) == 1


@pytest.mark.parametrize("fps", [1, 10, 60])
def test_any_frame_rate_is_looked_at_five_times_a_second(tmp_path: Path, fps: int) -> None:
    found = extract(make_clip(tmp_path / "a.mp4", 2.0, fps=fps, sound=None))
    assert found.seen == [True] * min(10, 2 * fps)
    assert found.grid.presence["visual"].all()


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


NAMES = [
    "two words.mp4",
    'it\'s "quoted".mp4',
    "видео 視頻 é.mp4",
    "%03d.mp4",
    "a:b.mp4",
    "concat:a.mp4",
    "-i.mp4",
    "new\nline.mp4",
    "?a=1#b.mp4",
    "back\\slash.mp4",
    os.fsdecode(b"\xff\xfe.mp4"),
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    assert extract(make_clip(tmp_path / name, 0.3)).seen == [True, True]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_fits_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path / name, "is empty")
    refused(tmp_path / f"no{name}", "There is no file")
