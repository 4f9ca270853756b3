"""The voice of a clip of any length: what `features.describe_voice` gives, a few seconds at a time.

So that it can be told how far it is and stopped, and in memory that hardly grows: ten seconds of spectra and of the
encoder's layers are held at once, and the hops' rows in half precision. Columns, hops and errors are those of
`describe_voice`; its numbers agree to rounding (tested to 1e-4).

It is built from the steps of `features`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from extractors.records import FloatArray, Sound, Span, Track
from extractors.voice import encoder, features
from extractors.voice.head import load_head

FRAMES = 1000  # measured at a time, whole hops of them
HOPS = encoder.BLOCK  # heard at a time: one block of the encoder's, half a second of work
# How the time divides: librosa's columns, what the encoder hears, what the head makes of it.
MEASURING, HEARING = 0.45, 0.5

Progress = Callable[[float], None]


def describe_long(sound: Sound, speech: Sequence[Span], progress: Progress | None = None) -> Track:
    """The voice's track, as `features.describe_voice` with its encoder on; `progress` is called with the share done.

    Raises:
        ValueError: the sound is not at 16 kHz; the head's weights are damaged.
    """
    if sound.rate != features.RATE:
        raise ValueError(f"expected sound at {features.RATE} Hz, got {sound.rate}: read it with read_sound")
    told = progress or (lambda _: None)
    spans = [Span(s.start - sound.start, s.end - sound.start) for s in speech]
    spoken = features.spoken_frames(len(sound.samples), spans)
    measured = _measure(sound.samples, spoken, lambda f: told(MEASURING * f))
    share = _shares(sound, spans, len(measured))
    rows = _hear(sound.samples, spoken, measured, lambda f: told(MEASURING + HEARING * f))
    found = _encode(rows, share, lambda f: told(MEASURING + HEARING + (1 - MEASURING - HEARING) * f))
    start = sound.start + features.HOP_SECONDS * np.arange(len(measured), dtype=np.float64)
    end = np.minimum(start + features.HOP_SECONDS, sound.start + sound.duration)
    columns = (*features.COLUMNS, *encoder.COLUMNS)
    return Track(np.concatenate([measured, found], axis=1), start, end, share, columns)


def _parts(count: int, size: int, told: Progress) -> Iterator[tuple[int, int]]:
    """First and last of every `size` of `count`, telling the share done after each."""
    for first in range(0, count, size):
        last = min(count, first + size)
        yield first, last
        told(last / count)


def _measure(samples: FloatArray, spoken: NDArray[np.bool_], told: Progress) -> FloatArray:
    """librosa's columns [hops, 130]."""
    if len(spoken) == 0:
        return np.zeros((0, len(features.COLUMNS)), np.float32)
    heard = spoken if spoken.any() else np.ones_like(spoken)
    gain = features.level_gain(samples, heard)
    half = features.PITCH_WINDOW // 2 - features.FRAME_STEP // 2
    hops = []
    for first, last in _parts(len(spoken), FRAMES, told):
        begin = first * features.FRAME_STEP - half
        end = begin + (last - first - 1) * features.FRAME_STEP + features.PITCH_WINDOW
        block = samples[max(0, begin) : end] * gain
        frames = features.measure_block(np.pad(block, (max(0, -begin), max(0, end - len(samples)))))
        hops.append(features.pool_hops(frames, heard[first:last]))
    return np.concatenate(hops)


def _shares(sound: Sound, spans: Sequence[Span], hops: int) -> FloatArray:
    start = features.HOP_SECONDS * np.arange(hops, dtype=np.float64)
    return features.speech_shares(spans, start, np.minimum(start + features.HOP_SECONDS, sound.duration))


def _hear(
    samples: FloatArray, spoken: NDArray[np.bool_], measured: FloatArray, told: Progress
) -> NDArray[np.float16]:
    """What the head reads of each hop [hops, 2434].

    Each part is given with the block before it, which lends its sound and, as if nobody spoke there, is not heard.
    """
    gain = features.level_gain(samples, spoken)
    rows = np.zeros((len(measured), encoder.WIDTH), np.float16)
    hop, frames = encoder.HOP, encoder.FRAMES_A_HOP
    for first, last in _parts(len(measured), HOPS, told):
        begin = max(0, first - encoder.BLOCK)
        said = spoken[begin * frames : last * frames].copy()
        said[: (first - begin) * frames] = False
        part = samples[begin * hop : (last + encoder.CONTEXT) * hop]
        rows[first:last] = encoder.hop_rows(part, gain, measured[begin:last], said)[first - begin :]
    return rows


def _encode(rows: NDArray[np.float16], share: FloatArray, told: Progress) -> FloatArray:
    """Log-probabilities and expected score [hops, 10], each part given with the hops that its windows reach."""
    head = load_head()
    found = np.zeros((len(rows), len(encoder.COLUMNS)), np.float32)
    for first, last in _parts(len(rows), encoder.SLICE, told):
        begin, end = max(0, first - encoder.BACK), min(len(rows), last + encoder.AHEAD)
        given = encoder.encode(rows[begin:end], share[begin:end], head)
        found[first:last] = given[first - begin : last - begin]
    return found
