"""Which emotion a voice carries, hop by hop: a small head of ours over librosa's columns and the recogniser's ear.

Each hop of 0.2 s is described by the mean and the deviation of 65 librosa columns (`features`) and of four layers of
the frozen speech encoder (`hearing`). A hop's answer rests on the speech from 2.8 s before it to 0.8 s after it:
mean and deviation over that window, which the head (`extractors.voice.head`) reads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from extractors.records import FloatArray, Progress, Track
from extractors.voice import hearing

# Expected sentiment of each class, -3..3; surprise has no sign and takes no part in the score.
SCORES = {
    "angry": -2.5, "disgust": -2.0, "fear": -2.0, "happy": 2.0, "sad": -1.5, "surprise": np.nan,
    "neutral": 0.0, "calm": 0.5, "bored": -1.0,
}  # fmt: skip
EMOTIONS = tuple(SCORES)
COLUMNS = (*(f"voice_{emotion}" for emotion in EMOTIONS), "voice_score")
HOP = 3_200  # samples
FRAMES_A_HOP = 20  # of 10 ms, in which speech is marked
BLOCK, CONTEXT = 40, 5  # hops heard at a time, and those heard on either side of them and not answered for
BACK, AHEAD = 14, 4  # hops before and after the one answered for
SLICE = 250  # hops answered for at a time: memory stays flat however long the clip
MEASURED = 65
WIDTH = 2 * (MEASURED + len(hearing.LAYERS) * hearing.WIDTH)


def encode(
    rows: NDArray[np.float16],
    share: FloatArray,
    head: Callable[[FloatArray], FloatArray],
    progress: Progress | None = None,
) -> FloatArray:
    """Log-probabilities of the nine classes and the expected score [hops, 10], columns as in `COLUMNS`.

    rows [hops, 2434] as `hop_rows` gives them; share [hops] says how much of each hop is speech; head gives the
    log-probabilities [n, 9] of windows [n, 2434]. Where a window holds no speech nothing is known: all classes alike,
    score 0. `progress` is called with the share done.
    """
    values = np.full((len(rows), len(COLUMNS)), -np.log(len(EMOTIONS)), np.float32)
    values[:, -1] = 0.0
    for first in range(0, len(rows), SLICE):
        windows, speech = window_statistics(rows, share, first, min(len(rows), first + SLICE))
        known = np.flatnonzero(speech > 0)
        if len(known):
            given = head(windows[known])
            values[first + known] = np.column_stack([given, expected_score(given)])
        if progress is not None:
            progress(min(1.0, (first + SLICE) / len(rows)))
    return values


def expected_score(given: FloatArray) -> FloatArray:
    """The score (-3..3) expected under log-probabilities [..., 9]: the mean of their scores, surprise left out."""
    scores = np.array(list(SCORES.values()), np.float32)
    signed = np.isfinite(scores)
    share = np.exp(given[..., signed] - given[..., signed].max(axis=-1, keepdims=True))
    return np.asarray(share @ scores[signed] / share.sum(axis=-1), np.float32)


def emotion_probabilities(track: Track) -> FloatArray:
    """What the track as a whole says: probabilities [9] in the order of EMOTIONS, all alike without speech.

    The hops' log-probabilities are averaged, each by its share of speech and by the speech its window held.

    Raises:
        ValueError: the track has no emotion columns.
    """
    weight = _evidence(track)
    if not weight.sum() > 0:
        return np.full(len(EMOTIONS), 1 / len(EMOTIONS), np.float32)
    given = weight @ track.values[:, -len(COLUMNS) : -1] / weight.sum()
    share = np.exp(given - given.max())
    return np.asarray(share / share.sum(), np.float32)


def clip_score(track: Track) -> float:
    """The track's score, -3..3, averaged as `emotion_probabilities` does; 0 without speech."""
    weight = _evidence(track)
    return float(weight @ track.values[:, -1] / weight.sum()) if weight.sum() > 0 else 0.0


def _evidence(track: Track) -> NDArray[np.float64]:
    """Each hop's share of speech times the hops' worth of speech in its window [hops]."""
    if track.columns[-len(COLUMNS) :] != COLUMNS:
        raise ValueError(
            f"expected a track whose last columns are {COLUMNS[0]}..{COLUMNS[-1]}, got {track.columns[-2:]}: "
            "describe the voice with its encoder on"
        )
    share = np.asarray(track.confidence, np.float64)
    return share * _window_sums(share[:, None], 0, len(share))[:, 0]


def hop_rows(
    samples: FloatArray,
    gain: np.float32,
    measured: FloatArray,
    spoken: NDArray[np.bool_],
    progress: Progress | None = None,
) -> NDArray[np.float16]:
    """Every hop described [hops, 2434]: 1217 means, then 1217 deviations; zeros where a stretch holds no speech.

    samples [n] times `gain` hold speech at the common level; measured [hops, 130] is librosa's; spoken
    [ceil(n / 160)] marks the frames that are speech. `progress` is called with the share done.
    """
    hops, half = len(measured), WIDTH // 2
    rows = np.zeros((hops, WIDTH), np.float16)
    rows[:, :MEASURED], rows[:, half : half + MEASURED] = measured[:, :MEASURED], measured[:, MEASURED:]
    for first in range(0, hops, BLOCK):
        last = min(hops, first + BLOCK)
        said = spoken[first * FRAMES_A_HOP : last * FRAMES_A_HOP]
        if said.any():
            begin = max(0, first - CONTEXT)
            frames = hearing.listen(samples[begin * HOP : (last + CONTEXT) * HOP] * gain)
            mean, deviation = hearing.pool(frames, said, (begin - first) * HOP, last - first, HOP)
            rows[first:last, MEASURED:half] = mean.reshape(last - first, -1)
            rows[first:last, half + MEASURED :] = deviation.reshape(last - first, -1)
        if progress is not None:
            progress(last / hops)
    return rows


def window_statistics(
    rows: NDArray[np.float16], share: FloatArray, first: int, last: int
) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation over the windows of hops first..last [k, 2434], and the hops' worth of speech in each [k]."""
    begin, end = max(0, first - BACK), min(len(rows), last + AHEAD)
    sums = _window_sums(_moments(rows[begin:end], share[begin:end]), first - begin, last - begin)
    speech = np.where(sums[:, -1] > 1e-6, sums[:, -1], 0.0)
    return _statistics(sums), speech.astype(np.float32)


def describe_stretch(rows: NDArray[np.float16], share: FloatArray, first: int, last: int) -> FloatArray:
    """What `window_statistics` gives [2434] for one window of the hops first..last."""
    return _statistics(_moments(rows[first:last], share[first:last]).sum(axis=0, keepdims=True))[0]


def _moments(rows: NDArray[np.float16], share: FloatArray) -> NDArray[np.float64]:
    """First and second moments and 1, times the share of speech [hops, 2435]: what sums over a window."""
    half, weight = WIDTH // 2, share[:, None].astype(np.float64)
    mean, deviation = rows[:, :half].astype(np.float64), rows[:, half:].astype(np.float64)
    terms = [mean, np.square(deviation) + np.square(mean), np.ones_like(weight)]
    return np.concatenate(terms, axis=1) * weight


def _statistics(sums: NDArray[np.float64]) -> FloatArray:
    """Mean and deviation [k, 2434] from summed moments [k, 2435]."""
    mean, square = np.split(sums[:, :-1] / np.maximum(sums[:, -1:], 1e-6), 2, axis=1)
    deviation = np.sqrt(np.maximum(square - np.square(mean), 1e-6))
    return np.concatenate([mean, deviation], axis=1).astype(np.float32)


def _window_sums(terms: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Sums [last - first, D] of terms [n, D] over rows i - BACK .. i + AHEAD of each row i from first to last."""
    total = np.concatenate([np.zeros((1, terms.shape[1])), np.cumsum(terms, axis=0)])
    hop = np.arange(first, last)
    return total[np.minimum(hop + AHEAD + 1, len(terms))] - total[np.maximum(hop - BACK, 0)]
