"""What `extractors.bench` measures the stages beside: other ways to the same, as far as they run here."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from extractors.bench.run import Run, Step
from extractors.clip import FACES_A_SECOND
from extractors.media.reading import read_frames
from extractors.records import FloatArray

PEER_SECONDS = 20.0  # peers on sound get this much of it at most: pyin takes longer than the clip lasts


def _peer_pictures(run: Run) -> str:
    """Decoding alone: the part of pictures + faces that no faster detection can save."""
    return f"{sum(1 for _ in read_frames(run.clip, FACES_A_SECOND))} pictures"


def _peer_detection(run: Run) -> str:
    """Every picture searched as a whole, as if there had been none before it; decoding included."""
    from extractors.face.follow import FaceFollower

    follower, seen, count = FaceFollower(), 0, 0
    for frame in read_frames(run.clip, FACES_A_SECOND):
        follower.forget()
        seen += follower.look(frame) > 0
        count += 1
    return f"a face in {seen} of {count} pictures"


def _peer_words(run: Run) -> str:
    """Pocketsphinx with its own language model, over the same speech."""
    decoder = _plain_decoder()
    decoder.start_utt()
    decoder.process_raw((_excerpt(run) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    return f"{len(heard.hypstr.split()) if heard else 0} words"


@cache
def _plain_decoder() -> Any:
    from pocketsphinx import Decoder

    return Decoder(loglevel="FATAL")


def _peer_pitch(run: Run) -> str:
    import librosa

    voiced = librosa.pyin(_excerpt(run), fmin=65.0, fmax=500.0, sr=16_000, hop_length=160)[1]
    return f"{len(voiced)} frames of pitch alone"


def _excerpt(run: Run) -> FloatArray:
    return np.zeros(0, np.float32) if run.sound is None else run.sound.samples[: round(PEER_SECONDS * 16_000)]


ON_SOUND: dict[str, Step] = {
    "words: pocketsphinx alone": _peer_words,
    "voice: librosa.pyin": _peer_pitch,
}
ON_PICTURES: dict[str, Step] = {
    "faces: decoding alone": _peer_pictures,
    "faces: full search of each picture": _peer_detection,
}
