"""Long series made short for drawing: fewer points, the highest and the lowest of every stretch among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def kept_of(lines: Iterable[NDArray[np.float32]], most: int = MOST) -> NDArray[np.intp]:
    """The indices of some `most` ticks at which several lines, each [n], are drawn together: the extremes of each."""
    together = list(lines)
    each = max(2, most // max(1, len(together)))
    count = len(together[0])
    return np.arange(count) if count <= most else np.unique(np.concatenate([kept(v, each) for v in together]))


def kept_texts(texts: Sequence[str]) -> NDArray[np.intp]:
    """The first and the last index of every run of the same text: whatever is nearest to a moment says what it says.

    To a text a word is what an extreme is to a line, so none is left out.
    """
    new = np.array([a != b for a, b in pairwise(texts)], bool)
    ends = np.concatenate([[True], new]) | np.concatenate([new, [True]])
    return np.flatnonzero(ends)
