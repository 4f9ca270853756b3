"""Lin's concordance correlation, by which the scores of voices and of faces are measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def concordance(scores: ArrayLike, ratings: ArrayLike) -> float:
    """Of scores [n] and ratings [n], -1..1: 1 only where they are equal, 0 where neither varies (Lin 1989)."""
    x, y = np.asarray(scores, np.float64), np.asarray(ratings, np.float64)
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * np.mean((x - x.mean()) * (y - y.mean())) / spread) if spread > 0 else 0.0
