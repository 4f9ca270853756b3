"""A clip through everything that extractors does, from its file to the grid: the right answer in time, or one sentence.

It goes through ClipReader's stages, as the page's clips do. test_media looks closely at decoding; the hostile and the
odd clips of this folder go the whole way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pytest

from extractors.clip import ClipReader
from extractors.media.reading import probe, read_frames, read_sound
from extractors.records import Grid, InputError, Looks, MediaInfo, Track, Transcript
from extractors.tracks import read_tracks
from tests.clips import make_clip

WITHIN = 10.0  # seconds that any clip may take, once libraries and weights are loaded


@dataclass
class Found:
    """What came of a clip."""

    info: MediaInfo
    transcript: Transcript
    tracks: dict[str, Track]
    grid: Grid
    warnings: list[str]

    @property
    def kinds(self) -> set[str]:
        """Modalities that are present on the grid."""
        return {name for name, presence in self.grid.presence.items() if presence.any()}

    @property
    def looks(self) -> Looks:
        """Where the face was found."""
        assert self.grid.looks is not None
        return self.grid.looks

    @property
    def seen(self) -> list[bool]:
        """Whether there was a face, for each picture looked at."""
        return (self.tracks["visual"].confidence > 0).tolist() if "visual" in self.tracks else []


def extract(path: Path) -> Found:
    """The whole way from a clip to its grid, which must end within the time that is granted."""
    load()
    begin = time.perf_counter()
    try:
        return _extract(path)
    finally:
        assert time.perf_counter() - begin < WITHIN


def _extract(path: Path) -> Found:
    reader = ClipReader(path)
    transcript, tracks = read_tracks(reader)
    return Found(reader.info, transcript, tracks, reader.grid(tracks), reader.warnings)


def refused(path: Path, said: str) -> None:
    """The clip ends in one error of one sentence, which says so, whichever way it is opened."""
    ways: list[Callable[[Path], object]] = [extract, probe, read_sound, lambda p: list(read_frames(p))]
    for way in ways:
        with pytest.raises(InputError, match=said) as error:
            way(path)
        assert str(error.value).endswith(".")
        assert "\n" not in str(error.value)


@cache
def load() -> Found:
    """A clip with everything, which also loads the libraries and weights, outside of the time that is taken."""
    with TemporaryDirectory() as folder:
        return _extract(make_clip(Path(folder) / "whole.mp4", 3.0))


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
