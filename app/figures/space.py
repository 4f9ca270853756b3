"""State space: the chains' paths as plain numbers, which the page draws, turns and follows in the browser.

Not a plotly picture: in three dimensions plotly needs WebGL, which phones, remote desktops and locked-down browsers
lack, and its points cannot be moved from outside without drawing all of it again. `assets/space.js` draws this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from app.analysis import MODALITIES, Analysis
from app.figures.reduce import kept_of

if TYPE_CHECKING:
    from model.inference.answers import Paths

MOST = 1800  # points that a path is drawn with at most, half of them evenly apart


def space_points(analysis: Analysis, paths: Paths) -> dict[str, Any]:
    """{"seconds": middles of ticks, "score": -3..3 at each, "paths": {modality: [[x, y, z], ...]}}, -1..1.

    Modalities that were never observed have no path. Longer clips are drawn with every second, third, ... tick, and
    with those between them at which a path turns back, in any of the three directions, or the score does.
    """
    count = len(analysis.ticks.start)
    scores = np.asarray(analysis.sentiment.ticks, np.float32)
    turns = kept_of([scores, *paths.points.reshape(count, -1).T], MOST // 2)
    shown = turns if count <= MOST // 2 else np.union1d(turns, np.arange(0, count, -(-count // (MOST // 2))))
    seconds = np.asarray(analysis.ticks.start)[shown] + analysis.ticks.step / 2
    seen = [m for m in MODALITIES if any(p > 0 for p in analysis.presence.get(m, ()))]
    points = paths.points[shown]
    return {
        "seconds": np.round(seconds, 2).tolist(),
        "score": np.round(scores[shown].astype(float), 2).tolist(),
        "paths": {m: np.round(points[:, MODALITIES.index(m)].astype(float), 3).tolist() for m in seen},
    }
