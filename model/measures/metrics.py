"""How well scores in -3..3 meet the ratings: each function takes predicted [n] and rated [n]."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import pearsonr
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score


def mae(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Mean absolute error."""
    return float(np.abs(np.asarray(predicted) - np.asarray(rated)).mean())


def pearson(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Pearson's r; 0 where either side is constant, since nothing then follows anything."""
    p, r = np.asarray(predicted, float), np.asarray(rated, float)
    return float(pearsonr(p, r).statistic) if p.std() > 1e-9 and r.std() > 1e-9 else 0.0


def ccc(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Lin's concordance correlation: 1 only where the predictions equal the ratings (Lin 1989)."""
    p, r = np.asarray(predicted, float), np.asarray(rated, float)
    spread = p.var() + r.var() + (p.mean() - r.mean()) ** 2
    return float(2 * np.mean((p - p.mean()) * (r - r.mean())) / spread) if spread > 0 else 0.0


def sign_accuracy(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Share of the ratings other than zero whose sign the prediction has."""
    p, r = _rated_other_than_zero(predicted, rated)
    return float(np.mean((p > 0) == (r > 0)))


def balanced_sign_accuracy(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Mean of the sign accuracies on negative and on positive ratings."""
    p, r = _rated_other_than_zero(predicted, rated)
    return float(balanced_accuracy_score(r > 0, p > 0))


def has_signs(rated: ArrayLike) -> bool:
    """Whether any rating is other than zero, so that a sign accuracy can be told."""
    return bool((np.asarray(rated) != 0).any())


def _rated_other_than_zero(predicted: ArrayLike, rated: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    p, r = np.asarray(predicted, float), np.asarray(rated, float)
    if not (r != 0).any():
        raise ValueError(f"all {len(r)} ratings are zero: a sign accuracy needs some that are not")
    return p[r != 0], r[r != 0]


def five_classes(scores: ArrayLike) -> NDArray[np.int64]:
    """SST's classes 0..4 of scores, the nearest of -3, -1.5, 0, 1.5 and 3."""
    return np.clip(np.rint(np.asarray(scores, float) / 1.5), -2, 2).astype(np.int64) + 2


def five_class_accuracy(predicted: ArrayLike, rated: ArrayLike) -> float:
    """Share of the ratings whose class of five the prediction has."""
    return float(np.mean(five_classes(predicted) == five_classes(rated)))


def unweighted_recall(guessed: ArrayLike, wanted: ArrayLike) -> float:
    """Recall of each class that is there, averaged over the classes."""
    return float(recall_score(wanted, guessed, average="macro", labels=np.unique(wanted), zero_division=0))


def macro_f1(guessed: ArrayLike, wanted: ArrayLike) -> float:
    """F1 of each class that is there, averaged over the classes."""
    return float(f1_score(wanted, guessed, average="macro", labels=np.unique(wanted), zero_division=0))
