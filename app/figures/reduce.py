"""Long series made short for drawing: fewer points, the highest and the lowest of every stretch among them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST = 3000  # points a line is drawn of: several for every pixel of the widest screen


def kept(values: NDArray[np.float32], most: int = MOST) -> NDArray[np.intp]:
    """The indices of some `most` values [n]: of equal stretches the lowest, the highest and a gap, and both ends.

    All of them where there are no more than `most`, and never more than half as many again. NaN counts as no value, and
    is kept once in a stretch that holds any: a gap in a line is not drawn over.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, max(1, most // 2) + 1).astype(int)
    found = {0, count - 1}
    for first, end in pairwise(edges.tolist()):
        part = values[first:end]
        missing = np.isnan(part)
        if missing.any():
            found.add(first + int(missing.argmax()))
        if not missing.all():
            found |= {int(first + np.nanargmin(part)), int(first + np.nanargmax(part))}
    return np.array(sorted(found), np.intp)
