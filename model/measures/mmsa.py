"""The measures of published tables on MOSI, MOSEI, SIMS and SIMSv2, as the MMSA toolkit computes them.

Each function takes predicted [n] and rated [n] on the corpus's own scale (-3..3; -1..1 for SIMS) and returns
{name: figure}, named as MMSA names them, accuracies in 0..1. MMSA rounds to four places; here nothing is rounded.

MMSA's two-class figures of classification are left out on purpose. Its Non0_acc_2 and Non0_F1_score make two classes of
three by dropping the neutral rows and then compare predictions coded 0 and 1 with labels still coded 0 and 2, so that a
right "positive" counts as wrong. Figures of 26 to 60 % in published tables, below a coin's, come from that. Its
Has0_acc_2 and Has0_F1_score code the labels 0 and 1 first and are sound, but they choose between the probabilities of
"negative" and of "positive", and the networks here give a score and no probabilities. Acc-3 and F1 over three classes
are sound and are here (`classes`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, f1_score

Float = NDArray[np.float32]
Figures = dict[str, float]
SIMS_EDGES = {2: (0.0,), 3: (-0.1, 0.1), 5: (-0.7, -0.1, 0.1, 0.7)}
"""Upper ends, inclusive, of all classes but the last: [-1, 0], (0, 1]; [-1, -0.1], (-0.1, 0.1], (0.1, 1]; ..."""


def mosi(predicted: ArrayLike, rated: ArrayLike) -> Figures:
    """MOSI and MOSEI: Has0 and Non0 Acc-2 and weighted F1, Acc-3, Acc-5, Acc-7, MAE, Corr.

    Has0 asks whether a score is negative (x < 0) or not; Non0 leaves ratings of exactly 0 out and asks for x > 0.
    Acc-7 clips to -3..3 and rounds half to even, Acc-5 clips to -2..2, Acc-3 to -1..1. Without any rating other than
    0 the Non0 figures are nan. Raises ValueError for other than two rows of finite numbers of one length.
    """
    p, r = _pair(predicted, rated)
    told = r != 0
    return {
        **_two_classes("Has0_", p >= 0, r >= 0),
        **_two_classes("Non0_", p[told] > 0, r[told] > 0),
        **{f"Mult_acc_{2 * end + 1}": _rounded_accuracy(p, r, end) for end in (1, 2, 3)},
        "MAE": float(np.abs(p - r).mean()),
        "Corr": _correlation(p, r),
    }


def sims(predicted: ArrayLike, rated: ArrayLike) -> Figures:
    """SIMS and SIMSv2: Acc-2, Acc-3 and Acc-5 by SIMS_EDGES, weighted F1 of the two classes, MAE, Corr.

    Both sides are clipped to -1..1 first, for MAE and Corr too; 0 belongs to the negative class. Raises ValueError as
    `mosi` does.
    """
    p, r = (np.clip(x, -1, 1) for x in _pair(predicted, rated))
    two = [np.digitize(x, _edges(2), right=True) for x in (p, r)]
    return {
        **{f"Mult_acc_{k}": _binned_accuracy(p, r, k) for k in SIMS_EDGES},
        "F1_score": float(f1_score(two[1], two[0], average="weighted")),
        "MAE": float(np.abs(p - r).mean()),
        "Corr": _correlation(p, r),
    }


MEASURES: dict[str, Callable[[ArrayLike, ArrayLike], Figures]] = {
    "mosi": mosi,
    "mosei": mosi,
    "sims": sims,
    "simsv2": sims,
}


def classes(predicted: ArrayLike, rated: ArrayLike) -> Figures:
    """Three classes coded 0 (negative), 1 (neutral), 2 (positive): accuracy and weighted F1."""
    p, r = np.asarray(predicted).ravel(), np.asarray(rated).ravel()
    if p.shape != r.shape or not len(r) or not set(np.unique(np.r_[p, r])) <= {0, 1, 2}:
        raise ValueError(
            f"expected two rows of classes 0, 1 and 2 of one length, got {p.shape} and {r.shape} with "
            f"{sorted(set(np.unique(np.r_[p, r]).tolist()))[:5]}"
        )
    return {"Acc_3": float(accuracy_score(r, p)), "F1_3": float(f1_score(r, p, average="weighted"))}


def _pair(predicted: ArrayLike, rated: ArrayLike) -> tuple[Float, Float]:
    """As float32, the type in which MMSA compares with its thresholds (0.1 is not above 0.1)."""
    p, r = (np.asarray(x, np.float32).ravel() for x in (predicted, rated))
    if p.shape != r.shape or not len(r):
        raise ValueError(f"expected as many predictions as ratings, at least one, got {len(p)} and {len(r)}")
    for name, x in (("predictions", p), ("ratings", r)):
        if not np.isfinite(x).all():
            raise ValueError(f"{int((~np.isfinite(x)).sum())} of {len(x)} {name} are no finite numbers")
    return p, r


def _two_classes(prefix: str, predicted: NDArray[np.bool_], rated: NDArray[np.bool_]) -> Figures:
    if not len(rated):
        return {f"{prefix}acc_2": float("nan"), f"{prefix}F1_score": float("nan")}
    return {
        f"{prefix}acc_2": float(accuracy_score(rated, predicted)),
        f"{prefix}F1_score": float(f1_score(rated, predicted, average="weighted")),
    }


def _rounded_accuracy(p: Float, r: Float, end: int) -> float:
    return float(np.mean(np.round(np.clip(p, -end, end)) == np.round(np.clip(r, -end, end))))


def _binned_accuracy(p: Float, r: Float, k: int) -> float:
    return float(np.mean(np.digitize(p, _edges(k), right=True) == np.digitize(r, _edges(k), right=True)))


def _edges(k: int) -> Float:
    return np.array(SIMS_EDGES[k], np.float32)


def _correlation(p: Float, r: Float) -> float:
    """Pearson's r; nan, as MMSA has it, where either side is constant."""
    constant = any(len(x) < 2 or float(np.ptp(x)) == 0 for x in (p, r))
    return float("nan") if constant else float(np.corrcoef(p, r)[0][1])


def mean_and_deviation(runs: Sequence[Figures]) -> dict[str, str]:
    """Of several seeds "mean +- standard deviation" (n - 1) a measure; of one run its figure, which has none."""
    return {name: _told([run[name] for run in runs]) for name in runs[0]}


def _told(figures: Sequence[float]) -> str:
    deviation = f" +- {np.std(figures, ddof=1):.4f}" if len(figures) > 1 else ""
    return f"{np.mean(figures):.4f}{deviation}"
