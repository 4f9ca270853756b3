"""Which of several faces is the main one: by its size and place, how steadily it is seen, and who speaks.

Who speaks is read from the mouths: a speaker's moves while there is voice and rests while there is none.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from extractors.follow import Sightings
from extractors.records import FloatArray, SecondsArray, Sound

# Another face takes over only when it is clearly the main one, or the track would flicker between two people.
TAKE_OVER = 1.6
# A face whose mouth alone moves with the voice counts as this much larger than one whose mouth rests.
VOICE_GAIN = 2.0
NEARBY = 1.5  # seconds before and after, over which it is judged who speaks
STEADY_NEARBY = 5.0  # and how steadily a face is seen
STILL = 0.5  # grey levels of movement that tell nothing
QUIET = 1e-3  # level (root mean square) under which there is no voice
LEAST_RANGE = 6.0  # dB between the loud and the quiet of a clip under which the level tells nothing


def main_face(
    sightings: Sightings, kept: NDArray[np.bool_], times: SecondsArray, sound: Sound | None = None
) -> NDArray[np.int64]:
    """The row of the main face at each of T looks, -1 where no row is kept.

    kept [N]: the rows that count; times [T] seconds of the looks. Without sound, the mouths are not asked.
    """
    standing = sightings.prominence * _steadiness(sightings, kept, times)
    if sound is not None:
        standing = standing * (1 + VOICE_GAIN * speaking(sightings, kept, times, sound))
    chosen = np.full(len(times), -1, np.int64)
    at_look = np.split(np.arange(len(kept)), np.searchsorted(sightings.look, np.arange(1, len(times))))
    face = -1
    for look, there in enumerate(at_look):
        rows = there[kept[there]]
        if not len(rows):
            continue
        best = rows[standing[rows].argmax()]
        same = rows[sightings.face[rows] == face]
        stays = len(same) and standing[best] <= TAKE_OVER * standing[same[0]]
        chosen[look] = same[0] if stays else best
        face = sightings.face[chosen[look]]
    return chosen


def several(sightings: Sightings, kept: NDArray[np.bool_]) -> bool:
    """Whether more than one face that counts is in any picture."""
    looks = sightings.look[kept]
    return bool(len(looks) and np.bincount(looks).max() > 1)


def speaking(sightings: Sightings, kept: NDArray[np.bool_], times: SecondsArray, sound: Sound) -> FloatArray:
    """The share (0..1) of the speaking [N] that each row's face does, among the faces then in the picture.

    A face speaks as much as its mouth moves while there is voice, within 1.5 s, more than it moves without voice
    over the clip. Zero where nobody's mouth moves with the voice.
    """
    level = voice_level(sound, times)
    amount = np.zeros(len(kept), np.float32)
    for seen in sightings.rows():
        rows = seen[kept[seen]]
        if len(rows) < 2:
            continue
        look = sightings.look[rows]
        motion, voiced, when = sightings.mouth[rows], level[look], times[look]
        spoken = _near(motion * voiced, when, NEARBY) / np.maximum(_near(voiced, when, NEARBY), 0.05)
        rest = float(((1 - voiced) * motion).sum() / max((1 - voiced).sum(), 1.0))
        amount[rows] = np.maximum(spoken - rest, 0)
    together = np.bincount(sightings.look, amount, len(times))[sightings.look]
    return (amount / (together + STILL)).astype(np.float32)


def voice_level(sound: Sound, times: SecondsArray) -> FloatArray:
    """How loud it is [T], 0 (the clip's quiet) to 1 (its loud), between each look and the one before.

    Where the clip is as loud throughout, all of it counts as voice; silence as none.
    """
    if not len(times) or not len(sound.samples):
        return np.zeros(len(times), np.float32)
    first = times[0] - (float(np.median(np.diff(times))) if len(times) > 1 else 0.2)
    edges = np.concatenate([[first], times]) - sound.start
    places = np.clip(np.round(edges * sound.rate), 0, len(sound.samples)).astype(np.int64)
    # One interval at a time: sums over all samples at once would take eight times the sound's own memory.
    parts = (sound.samples[a:b] for a, b in pairwise(places))
    power = np.array([np.sum(np.square(part, dtype=np.float64)) for part in parts])
    level = np.sqrt(power / np.maximum(np.diff(places), 1))
    loudness = 20 * np.log10(np.maximum(level, QUIET))
    low, high = np.percentile(loudness, [10, 95])
    if high - low < LEAST_RANGE:
        return (level > QUIET).astype(np.float32)
    return np.clip((loudness - low) / (high - low), 0, 1).astype(np.float32)


def _steadiness(sightings: Sightings, kept: NDArray[np.bool_], times: SecondsArray) -> FloatArray:
    """0.5..1 [N]: half, and half the share of the looks nearby at which the row's face was detected."""
    steady = np.ones(len(kept), np.float32)
    for rows in sightings.rows():
        present = np.zeros(len(times))
        present[sightings.look[rows]] = kept[rows] & ~sightings.matched[rows]
        steady[rows] = 0.5 + 0.5 * _near(present, times, STEADY_NEARBY)[sightings.look[rows]]
    return steady


def _near(values: NDArray[np.floating], when: SecondsArray, reach: float) -> NDArray[np.float64]:
    """The mean [n] of the values within `reach` seconds of each."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first, last = np.searchsorted(when, when - reach), np.searchsorted(when, when + reach, side="right")
    return (total[last] - total[first]) / np.maximum(last - first, 1)
