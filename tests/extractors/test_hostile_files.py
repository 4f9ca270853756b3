"""Files that are no clips, damaged ones, and names that mean something elsewhere."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.media.reading import read_frames, read_sound
from extractors.records import InputError
from tests.clips import make_clip
from tests.extractors.whole_way import extract, load, refused

IN_OPEN = 0x20  # inotify's event for a file that is opened


def test_a_clip_with_everything_has_everything() -> None:
    loaded = load()
    assert loaded.kinds == {"text", "audio", "visual"}
    assert all(loaded.seen)
    assert loaded.warnings == []


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
    refused(Path(address), "addresses are not fetched" if address.startswith("http") else "There is no file")


def test_a_name_longer_than_any_file_has_is_no_file(tmp_path: Path) -> None:
    refused(tmp_path / f"{'a' * 300}.mp4", "There is no file")


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


def test_pictures_that_end_before_the_sound_are_no_damage(tmp_path: Path) -> None:
    """Matroska gives the length of the clip and of no stream."""
    path = make_clip(tmp_path / "a.mkv", 8.0, times=[0.0, 0.5, 1.0, 1.5])
    warnings: list[str] = []
    assert len(list(read_frames(path, warnings=warnings))) == 4
    read_sound(path, warnings)
    (told,) = warnings
    assert re.fullmatch(r"The file holds no pictures for 6\.\d s of its time\.", told)


def test_a_clip_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 2.0)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov")])
    refused(path, "damaged, or cut short")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A short clip with a face and speech, as bytes."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    return make_clip(path, 1.5, size=(160, 120)).read_bytes()


@pytest.mark.parametrize(
    ("seed", "flips"), [*((seed, 1) for seed in range(20)), *((seed, 20) for seed in range(20, 26))]
)
def test_flipped_bits_end_in_an_answer_or_one_sentence(
    tmp_path: Path, plain: bytes, seed: int, flips: int
) -> None:
    data = bytearray(plain)
    generator = np.random.default_rng(seed)
    for _ in range(flips):
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
