"""Is one network better than another? Paired tests over seeds, or over repeated splits that share their data.

Runs on overlapping training sets are not independent, and a plain t test over them finds differences that are not
there. The corrected resampled t test widens the variance for the overlap (Nadeau and Bengio, Inference for the
Generalization Error, Machine Learning 52, 2003): var * (1/k + n_test/n_train) in place of var / k.
Where nothing is resampled, as with several seeds on one fixed split, the plain test is the one to take; it says whether
the difference is more than the noise of training, and nothing of other data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Paired(NamedTuple):
    """Mean difference of k pairs, its standard error, t with k - 1 degrees of freedom, two-sided p."""

    difference: float
    error: float
    t: float
    p: float
    pairs: int


def plain_test(first: ArrayLike, second: ArrayLike) -> Paired:
    """Whether `first` differs from `second` [k], seed by seed on one split: Student's paired t test.

    p is 1 where all pairs are equal. Raises ValueError for fewer than two pairs, or rows of different length.
    """
    return _test(first, second, 0.0)


def corrected_test(first: ArrayLike, second: ArrayLike, n_train: int, n_test: int) -> Paired:
    """Whether `first` differs from `second` [k], run by run on the same splits and seeds. Else as `plain_test`."""
    if n_train < 1 or n_test < 1:
        raise ValueError(f"n_train and n_test must be at least 1, got {n_train} and {n_test}")
    return _test(first, second, n_test / n_train)


def _test(first: ArrayLike, second: ArrayLike, overlap: float) -> Paired:
    from scipy.stats import t as student

    d = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if d.ndim != 1 or len(d) < 2:
        raise ValueError(f"a paired test needs at least two pairs, got {d.shape}")
    error = float(np.sqrt(d.var(ddof=1) * (1 / len(d) + overlap)))
    mean = float(d.mean())
    if error == 0:
        return Paired(
            mean, 0.0, 0.0 if mean == 0 else float(np.copysign(np.inf, mean)), float(mean == 0), len(d)
        )
    return Paired(mean, error, mean / error, float(2 * student.sf(abs(mean) / error, len(d) - 1)), len(d))
