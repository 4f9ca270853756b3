"""The sample clip, made on demand from what the installed packages carry, and kept in the user's cache.

The face is scikit-image's astronaut portrait (Eileen Collins, NASA, public domain), slowly zoomed and panned so that
it is no still picture; the voice is the LibriVox reading of "A Tale of Two Cities" (public domain) in the
moonshine-voice wheel. The face never moves, so what the face says hardly changes over the clip.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import tempfile
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

OWNER = "sample"  # of what the stages found in it
KEPT = 50_000_000  # bytes of that, some versions of the program's
# The number grows when what is drawn changes, so that an old cache is not taken for new.
NAME = "sample-1.mp4"
SECONDS = 24.0
FPS = 20
SIZE = (640, 480)
SOUND_RATE = 48_000
# Boxes of the 512 x 512 portrait, as (centre x, centre y, width): from head and shoulders slowly to the face.
WIDE, CLOSE = (232.0, 168.0, 420.0), (224.0, 132.0, 250.0)


def cache_folder() -> Path:
    """Where made files are kept: $COUPLED_MAMBA_CACHE, or coupled-mamba under the user's XDG cache."""
    given = os.environ.get("COUPLED_MAMBA_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "coupled-mamba"


def sample_clip() -> Path:
    """The sample's path; made on the first call, about 3 s, h264 and aac in mp4, 24 s, 640 x 480."""
    path = cache_folder() / NAME
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed, so that nobody meets half a file and two makers do no harm.
        handle, aside = tempfile.mkstemp(suffix=".mp4", dir=path.parent)
        os.close(handle)
        try:
            make_sample(Path(aside))
            os.replace(aside, path)
        finally:
            Path(aside).unlink(missing_ok=True)
    return path


def stages_folder() -> Path:
    """Where it is kept what each stage found in the sample, for everybody: it is nobody's own."""
    return cache_folder() / "sample-stages"


def is_sample(path: Path) -> bool:
    """Whether the file is a copy of the sample, such as gradio makes one to show it."""
    sample = cache_folder() / NAME
    with contextlib.suppress(OSError):
        return path.name == NAME and filecmp.cmp(path, sample, shallow=False)
    return False


def make_sample(path: Path, seconds: float = SECONDS, begin: float = 0.0) -> None:
    """Write the sample, or `seconds` of it, to `path`; `begin` is how far into the reading the voice begins."""
    import av

    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        pictures: Any = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "24"})
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        voice: Any = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        voice.bit_rate = 96_000
        sound = av.AudioFrame.from_ndarray(read_voice(seconds, begin)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
        container.mux(voice.encode(sound))
        container.mux(voice.encode(None))
        for i, picture in enumerate(draw_pictures(seconds)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))


def draw_pictures(seconds: float) -> Iterator[NDArray[np.uint8]]:
    """The RGB pictures [480, 640, 3], zooming in to the face, swaying a little, and out again."""
    import cv2
    from skimage.data import astronaut

    portrait = np.ascontiguousarray(astronaut())
    count = max(1, round(seconds * FPS))
    for i in range(count):
        near = 0.5 - 0.5 * np.cos(2 * np.pi * i / (SECONDS * FPS))
        sway = 9 * np.sin(2 * np.pi * i / (7 * FPS))
        x, y, width = (w + near * (c - w) for w, c in zip(WIDE, CLOSE, strict=True))
        scale = SIZE[0] / width
        move = np.array(
            [[scale, 0, SIZE[0] / 2 - scale * (x + sway)], [0, scale, SIZE[1] / 2 - scale * y]], np.float32
        )
        yield cv2.warpAffine(
            portrait, move, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8)


def read_voice(seconds: float, begin: float = 0.0) -> NDArray[np.float32]:
    """`seconds` of the reading from `begin` on, mono at 48 kHz, silent after its end."""
    from moonshine_voice import get_assets_path

    with wave.open(str(Path(get_assets_path()) / "two_cities.wav")) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SOUND_RATE, 1, 2):
            raise RuntimeError(
                "the reading in moonshine-voice is not 48 kHz mono 16 bit: install version 0.0.73"
            )
        file.setpos(min(file.getnframes(), round(begin * SOUND_RATE)))
        samples = np.frombuffer(file.readframes(round(seconds * SOUND_RATE)), np.int16)
    voice = samples.astype(np.float32) / 32768
    return np.pad(voice, (0, max(0, round(seconds * SOUND_RATE) - len(voice))))
