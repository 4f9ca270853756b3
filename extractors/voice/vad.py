"""Where somebody speaks, found by silero-vad."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import numpy as np

from extractors.records import FloatArray, Progress, Sound, Span
from extractors.threads import OneThread

RATE = 16_000
WINDOW = 512  # samples that the network judges at a time, 32 ms
PIECE = 1600  # samples whose level is measured at a time, 0.1 s
BLOCK = 1000 * WINDOW  # samples held at a time besides the sound itself: memory stays flat
OFTEN = 50  # windows between two reports, some 10 ms of work
LOUD = 0.1  # the level (root mean square) speech is brought to before it is judged
MAX_GAIN = 30.0  # quieter sound is raised by no more than this, so that a silent track's hiss stays hiss
_LOCK = threading.Lock()  # the network carries its state from window to window


@cache
def _network() -> Any:
    """The network in the wheel, loaded once; the first import of its package is here, held by `_torch`."""
    from silero_vad import load_silero_vad

    return load_silero_vad()


@cache
def _torch() -> OneThread:
    """Torch on one thread, and then on as many as before: importing silero_vad sets one for the whole process.

    While it runs it needs no more: with two, on two busy cores, so small a network takes fifteen times as long.
    """
    import torch

    return OneThread(torch.get_num_threads, torch.set_num_threads, per_thread=True)


def find_speech(sound: Sound, progress: Progress | None = None) -> tuple[Span, ...]:
    """Spans of speech in clip seconds, in order, disjoint; none for silence, noise or music.

    Stretches under 0.25 s are dropped, pauses under 0.1 s bridged. The sound is first brought to a common
    level, so a quiet recording gives the spans that the same recording gives when loud. `progress` is called with
    the share done, 0..1.
    """
    if sound.rate != RATE:
        raise ValueError(f"expected sound at {RATE} Hz, got {sound.rate}: read it with read_sound")
    if len(sound.samples) < WINDOW:
        return ()
    shares = speech_probabilities(sound.samples, progress)
    from silero_vad import get_speech_timestamps_from_probs  # not before: see `_torch`

    found = get_speech_timestamps_from_probs(
        shares.tolist(),
        sampling_rate=RATE,
        audio_length_samples=len(sound.samples),
        speech_pad_ms=30,
    )
    return tuple(Span(sound.start + s["start"] / RATE, sound.start + s["end"] / RATE) for s in found)


def speech_probabilities(samples: FloatArray, progress: Progress | None = None) -> FloatArray:
    """Probability of speech in each window of 512 samples at 16 kHz: [ceil(n / 512)]; `progress` as there."""
    import torch

    gain = level_gain(samples)
    with _torch().held(), _LOCK, torch.inference_mode():
        network = _network()
        network.reset_states()
        found: list[float] = []
        for i in range(0, len(samples), BLOCK):
            block = samples[i : i + BLOCK] * np.float32(gain)
            windows = torch.from_numpy(np.pad(block, (0, -len(block) % WINDOW))).split(WINDOW)
            for window in windows:
                found.append(network(window, RATE).item())
                if progress is not None and len(found) % OFTEN == 0:
                    progress(len(found) * WINDOW / len(samples))
        return np.array(found, np.float32)


def level_gain(samples: FloatArray) -> float:
    """The factor that brings the loudest tenth of the sound's 0.1 s pieces to a level of 0.1."""
    pieces = samples[: len(samples) // PIECE * PIECE].reshape(-1, PIECE)
    if len(pieces) == 0:
        pieces = samples[None]
    blocks = (pieces[i : i + BLOCK // PIECE] for i in range(0, len(pieces), BLOCK // PIECE))
    levels = np.concatenate([np.sqrt(np.mean(np.square(block), axis=1)) for block in blocks])
    level = float(np.quantile(levels, 0.9))
    return min(MAX_GAIN, LOUD / max(level, 1e-9))
