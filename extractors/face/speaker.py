"""Which of several faces is the main one: by its size and place, how steadily it is seen, and who speaks.

Who speaks is read from the mouths. At the pace of syllables, two to seven a second, a mouth opens and the voice grows
louder together; the mouth of somebody else opens at other moments (Chandrasekaran et al. 2009, doi
10.1371/journal.pcbi.1000436).

Whether a face that is alone is the one that is heard is not judged. Of six talking heads of 3 s each, one would have
been told that its own voice is somebody else's, and of their thirty pairings with another's voice seven would have
passed for their own: 8 of 36 wrong, on the clips that the constants below were made on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors.face.follow import Mouths, Sightings
from extractors.records import FloatArray, SecondsArray, Sound

# Another face takes over only when it is clearly the main one, or the track would flicker between two people.
TAKE_OVER = 1.6
# A face that is sure to speak counts as this much larger than one that is sure not to, less one.
VOICE_GAIN = 2.0
NEARBY = 1.5  # seconds before and after, over which it is judged who speaks
ASIDE = NEARBY + 0.5  # and over which mouth and voice are looked at: smoothing needs some more at the ends
STEADY_NEARBY = 5.0  # and how steadily a face is seen

STEP = 0.04  # seconds between two readings of mouths and voice
HOP = 0.01  # seconds over which the voice's power is taken
# Seconds (standard deviations) of smoothing before and after which mouth and voice are compared: what is left is
# the pace of syllables.
FAST, SLOW = 0.03, 0.08
# Seconds between two sights of a mouth over which nothing is known of it: too few to see syllables.
SEEN = 0.15
# Seconds by which the voice may follow the mouth, and pictures and sound be out of step.
LAGS = (-0.04, 0.0, 0.04)
RANGE = 30.0  # dB under the loud moments of a clip: what is fainter is no voice
QUIET = -60.0  # dB under which there is no voice at all
# Unrest that tells nothing: of a mouth, grey levels of its contrast, and of the voice, dB.
MOUTH_UNREST, VOICE_UNREST = 0.3, 1.0
# At an agreement of AGREEMENT a mouth is as likely the speaker's as somebody else's. Each unit above or below that adds
# or takes ODDS for each second, in natural logarithms of odds.
AGREEMENT, ODDS = 0.3, 4.0


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
    """How likely (0..1) each row's face [N] speaks, of the faces then in the picture and somebody unseen.

    It is judged by how each mouth and the voice agree within 1.5 s. Zero in silence, and where a mouth is not seen
    often enough to tell.
    """
    odds = np.zeros(len(kept))
    grid = _grid(times)
    voices = np.stack([syllables(loudness(sound, grid + lag)) for lag in LAGS])
    for rows in sightings.rows():
        at = times[sightings.look[rows]]
        near = _window(grid, at, ASIDE)
        odds[rows] = _log_odds(
            sightings.mouths, int(sightings.face[rows[0]]), at, grid[near], voices[:, near]
        )
    likely = np.where(kept, np.exp(np.clip(odds, -50, 50)), 0)
    together = np.bincount(sightings.look, likely, len(times))[sightings.look]
    return (np.where(odds == 0, 0, likely) / (together + 1)).astype(np.float32)


def _log_odds(
    mouths: Mouths, face: int, times: SecondsArray, grid: SecondsArray, voices: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What the face's mouth tells at each of its looks [T] of whether it speaks; zero where it tells nothing."""
    own = mouths.face == face
    when = mouths.time[own]
    if len(when) < 2:
        return np.zeros(len(times))
    mouth = syllables(np.interp(grid, when, mouths.contrast[own]))
    after = np.clip(np.searchsorted(when, grid, side="right"), 1, len(when) - 1)
    inside = (grid >= when[0]) & (grid <= when[-1])
    seen = inside & (when[after] - when[after - 1] < SEEN)
    agreement = np.max([_agreement(mouth * seen, voice * seen, seen, grid, times) for voice in voices], 0)
    seconds = STEP * _around(seen, grid, times)
    return ODDS * seconds * (agreement - AGREEMENT)


def _window(when: SecondsArray, at: SecondsArray, reach: float) -> slice:
    """What of the times (rising) lies within `reach` of the looks: a face that is soon gone costs no whole clip."""
    return slice(
        int(np.searchsorted(when, at[0] - reach)), int(np.searchsorted(when, at[-1] + reach, side="right"))
    )


def _agreement(
    mouth: NDArray[np.float64],
    voice: NDArray[np.float64],
    seen: NDArray[np.bool_],
    grid: SecondsArray,
    times: SecondsArray,
) -> NDArray[np.float64]:
    """The correlation (-1..1) of mouth and voice around each look [T], less where either hardly moves."""
    together, count = _around(mouth * voice, grid, times), _around(seen, grid, times)
    moves = _around(mouth**2, grid, times) + count * MOUTH_UNREST**2
    sounds = _around(voice**2, grid, times) + count * VOICE_UNREST**2
    return together / np.sqrt(np.maximum(moves * sounds, 1e-12))


def loudness(sound: Sound, at: SecondsArray) -> NDArray[np.float64]:
    """The sound's level at each time [n], dB under full scale, and never far under the clip's loud moments.

    What is fainter than the voice is all the same: a room's hum is no rhythm.
    """
    hop = round(HOP * sound.rate)
    pieces = sound.samples[: len(sound.samples) // hop * hop].reshape(-1, hop)
    if not len(pieces):
        return np.full(len(at), QUIET)
    level = 10 * np.log10(np.maximum(np.einsum("ij,ij->i", pieces, pieces) / hop, 1e-12))
    least = max(QUIET, float(np.percentile(level, 95)) - RANGE)
    middles = sound.start + HOP * (np.arange(len(level)) + 0.5)
    return np.interp(at, middles, np.maximum(level, least), left=least, right=least)


def syllables(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """What changes in values [n], one every STEP, at the pace of syllables."""
    return _smooth(values, FAST) - _smooth(values, SLOW)


def _smooth(values: NDArray[np.floating], seconds: float) -> NDArray[np.float64]:
    """The mean around each value, weighted by a Gaussian; at the ends, of what is there."""
    reach = int(np.ceil(4 * seconds / STEP))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP / seconds) ** 2)
    padded = np.pad(values.astype(np.float64), reach)
    there = np.pad(np.ones(len(values)), reach)
    return np.convolve(padded, weights, "valid") / np.convolve(there, weights, "valid")


def _grid(times: SecondsArray) -> SecondsArray:
    """From the first look to the last, one time every STEP."""
    return np.arange(times[0], times[-1] + STEP, STEP) if len(times) else np.zeros(0)


def _steadiness(sightings: Sightings, kept: NDArray[np.bool_], times: SecondsArray) -> FloatArray:
    """0.5..1 [N]: half, and half the share of the looks nearby at which the row's face was detected."""
    steady = np.ones(len(kept), np.float32)
    for rows in sightings.rows():
        looks = sightings.look[rows]
        near = _window(times, times[looks], STEADY_NEARBY)
        present = np.zeros(near.stop - near.start)
        present[looks - near.start] = kept[rows] & ~sightings.matched[rows]
        steady[rows] = 0.5 + 0.5 * _near(present, times[near], STEADY_NEARBY)[looks - near.start]
    return steady


def _near(values: NDArray[np.floating], when: SecondsArray, reach: float) -> NDArray[np.float64]:
    """The mean [n] of the values within `reach` seconds of each."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first, last = np.searchsorted(when, when - reach), np.searchsorted(when, when + reach, side="right")
    return (total[last] - total[first]) / np.maximum(last - first, 1)


def _around(values: NDArray[Any], when: SecondsArray, middles: SecondsArray) -> NDArray[np.float64]:
    """The sum [T] of the values, each of its time, within NEARBY of each middle."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    first = np.searchsorted(when, middles - NEARBY)
    last = np.searchsorted(when, middles + NEARBY, side="right")
    return total[last] - total[first]
