"""What is known of the main face besides what it shows: where it was, and how many faces there were.

The network is not given it. It is kept in one entry of the cache with the face's track, whose rows it shares, and goes
with the grid as `Looks`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from extractors.records import Looks, Track

if TYPE_CHECKING:
    from extractors.face.features import FaceTrack

BESIDE = ("x", "y", "width", "height", "faces")  # columns that are kept beside those of the face's track
OFTEN = 0.1  # the share of the looks with several faces, or of the time that stands still, from which that is told
# A frame stands for the time until the next one, but not for longer than this, seconds.
LONGEST_LOOK = 1.0


def join_looks(track: Track, found: FaceTrack) -> Track:
    """The face's track [T, 71] with the columns in `BESIDE` after its own."""
    values = np.concatenate([track.values, found.boxes, found.count[:, None]], axis=1, dtype=np.float32)
    return replace(track, values=values, columns=(*track.columns, *BESIDE))


def part_looks(joined: Track) -> tuple[Track, Looks]:
    """The opposite of `join_looks`: the track, and the looks at which there was a face."""
    own = joined.values.shape[1] - len(BESIDE)
    seen = joined.confidence > 0
    beside = joined.values[seen, own:]
    looks = Looks(joined.start[seen], beside[:, :4], beside[:, 4].astype(np.int64))
    return replace(joined, values=joined.values[:, :own], columns=joined.columns[: -len(BESIDE)]), looks


def tell_several(count: NDArray[np.int64], warnings: list[str]) -> None:
    """Warn where more than one face was in many of the pictures; count [T]: faces at each look."""
    share = float(np.mean(count > 1)) if len(count) else 0.0
    if share >= OFTEN:
        warnings.append(
            f"Several faces were in the picture for {100 * share:.0f} % of the clip: of them one at a time is read, "
            "the one that stands out by its size and by moving its mouth with the voice."
        )


def tell_still(found: FaceTrack, duration: float, warnings: list[str]) -> None:
    """Warn where a face was in pictures that stood for longer than one of it counts; `duration` is the clip's."""
    gaps = np.diff(np.append(found.time, max(duration, found.time[-1]))) if len(found.time) else np.zeros(0)
    share = float(gaps[(gaps > LONGEST_LOOK) & (found.confidence > 0)].sum()) / duration
    if share >= OFTEN:
        warnings.append(
            f"The picture stood still for {100 * share:.0f} % of the clip: a face in it counts for one second each "
            "time."
        )
