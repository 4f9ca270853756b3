"""Opens damaged clips in a process of its own, which a native crash may end.

`python -m tests.fuzz.open_media FOLDER COUNT`

FOLDER holds good clips as seed-*; every damaged copy is written to FOLDER/case before it is opened, so that whoever
started this finds what ended it.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from pathlib import Path

import av
import numpy as np

from extractors.media.reading import Limits, probe, read_frames, read_sound
from extractors.records import InputError
from extractors.words.embedded import read_embedded
from tests.fuzz.mutate import mutations

MEMORY = 4 * 2**30  # bytes of addresses; the libraries alone take one and a half
SECONDS = 20.0  # of this process's time for one clip
FRAMES = 8
LIMITS = Limits(max_seconds=60, max_width=1024, max_height=1024)
TRAPS = (
    b"ffconcat version 1.0\nfile seed-0\n",
    b"#EXTM3U\nseed-0\n",
    b"moov",
    b"mdat",
    b"trak",
    b"\x1aE\xdf\xa3",
    b"RIFF",
)


def main(folder: Path, count: int) -> int:
    """Open the damaged clips; tells of the first that ends neither in an answer nor in one sentence."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    av.logging.set_level(None)
    seeds = [path.read_bytes() for path in sorted(folder.glob("seed-*"))]
    path = folder / "case"
    answers = 0
    for i, data in enumerate(mutations("media", seeds, count, TRAPS)):
        path.write_bytes(data)
        begin = time.process_time()
        try:
            open_whole(path)
        except InputError as error:
            sentence = str(error)
        else:
            answers, sentence = answers + 1, "."
        assert sentence.endswith("."), f"case {i}: {sentence}"
        assert "\n" not in sentence, f"case {i}: {sentence}"
        assert time.process_time() - begin < SECONDS, f"case {i} took too long"
    path.unlink()
    print(answers)
    return 0


def open_whole(path: Path) -> None:
    """Everything that is read of a clip, as far as its first pictures. Raises InputError; anything else is a fault."""
    warnings: list[str] = []
    info = probe(path, LIMITS, warnings)
    assert math.isfinite(info.duration)
    assert 0 < info.duration <= LIMITS.max_seconds
    assert info.has_video or info.has_audio
    for count, frame in enumerate(read_frames(path, 5.0, 160, warnings, LIMITS)):
        assert frame.image.dtype == np.uint8
        assert frame.image.ndim == 3
        assert 0 <= frame.time <= LIMITS.max_seconds
        if count >= FRAMES:
            break
    sound = read_sound(path, warnings, LIMITS)
    assert sound is None or np.isfinite(sound.samples).all()
    transcript = read_embedded(path, None, (), info.duration, warnings)
    assert transcript is None or transcript.words
    assert all(isinstance(warning, str) for warning in warnings)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
