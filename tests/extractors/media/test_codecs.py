"""Which decoders a clip may use, and which pictures are passed over before ffmpeg's scaler sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.media.codecs import PICTURES, SOUND, is_drawable
from extractors.media.reading import probe, read_frames
from extractors.records import InputError
from tests.clips import make_clip

BAYER = b"\xbaBG\x08"  # ffmpeg's tag of the raw picture of a sensor
READ = """
import sys
from extractors.media.reading import probe, read_frames
from extractors.records import InputError
try:
    print(probe(sys.argv[1]).has_video)
except InputError as error:
    print(error)
print(len(list(read_frames(sys.argv[1]))))
"""


@pytest.mark.parametrize(("tag", "size"), [(BAYER, (5, 5)), (BAYER, (640, 32)), (b"I420", (641, 3))])
def test_pictures_that_abort_the_scaler_are_passed_over(
    tmp_path: Path, tag: bytes, size: tuple[int, int]
) -> None:
    path = write_raw(tmp_path / "a.mkv", size, "yuv420p")
    path.write_bytes(path.read_bytes().replace(b"I420", tag, 1))
    command = [sys.executable, "-c", READ, str(path)]
    apart = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert apart.returncode == 0, apart.stderr
    assert apart.stdout == "a.mkv holds neither pictures nor sound that can be decoded.\n0\n"


@pytest.mark.parametrize("form", ["bayer_rggb16le", "yaf32le", "rgbaf32le", "gray32le"])
def test_formats_that_the_scaler_does_not_take_are_not_given_to_it(form: str) -> None:
    assert not is_drawable(av.VideoFrame(64, 48, form))
    assert is_drawable(av.VideoFrame(64, 48, "yuv420p"))


def test_uncompressed_pictures_of_a_usual_size_are_read(tmp_path: Path) -> None:
    assert len(list(read_frames(write_raw(tmp_path / "a.avi", (64, 48), "bgr24")))) == 3


def test_a_codec_that_is_not_read_is_named(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.avi", 1.0, codec="asv1")
    warnings: list[str] = []
    info = probe(path, warnings=warnings)
    assert (info.has_video, info.has_audio) == (False, True)
    assert warnings == [
        "The clip's pictures cannot be read here (coded as asv1), so it is analysed without: save it as mp4."
    ]
    assert list(read_frames(path)) == []
    alone = make_clip(tmp_path / "b.avi", 1.0, sound=None, codec="asv1")
    with pytest.raises(InputError, match=r"of a kind that is read here \(asv1\): save it as mp4"):
        probe(alone)


def test_every_name_is_one_of_ffmpegs() -> None:
    """But for those that a build of ffmpeg may be without."""
    known = {name for name in av.codecs_available if _decodes(name)}
    assert sorted((PICTURES | SOUND) - known) == ["libaom-av1", "libspeex"]


def _decodes(name: str) -> bool:
    try:
        return av.Codec(name, "r") is not None
    except ValueError:
        return False


def write_raw(path: Path, size: tuple[int, int], form: str) -> Path:
    """Three pictures as they lie in memory."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = form
        for _ in range(3):
            frame = av.VideoFrame(*size, form)
            for plane in frame.planes:
                plane.update(np.zeros(plane.buffer_size, np.uint8).tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
