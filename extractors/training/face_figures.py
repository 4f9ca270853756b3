"""What a reading of faces is worth: the figures that are told of the expression network and of its peers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extractors.face.expression import EXPRESSIONS
from extractors.training.concordance import concordance
from extractors.voice.encoder import SCORES

VALENCE = {name: SCORES[name] for name in EXPRESSIONS if np.isfinite(SCORES[name])}


def report(given: NDArray[np.float32], labels: NDArray[np.int8]) -> dict[str, object]:
    """Accuracy, macro F1, accuracy by class, and the valence CCC of the expected score without surprise."""
    guess = given.argmax(1)
    right, f1 = {}, []
    for i, name in enumerate(EXPRESSIONS):
        hits = int(((guess == i) & (labels == i)).sum())
        right[name] = round(hits / max(int((labels == i).sum()), 1), 4)
        f1.append(2 * hits / max(int((guess == i).sum() + (labels == i).sum()), 1))
    signed = [i for i, name in enumerate(EXPRESSIONS) if name in VALENCE]
    values = np.array([VALENCE[EXPRESSIONS[i]] for i in signed])
    rows = np.isin(labels, signed)
    share = given[rows][:, signed]
    expected = share @ values / share.sum(1)
    wanted = np.array([VALENCE.get(name, 0.0) for name in EXPRESSIONS])[labels[rows]]
    return {
        "faces": len(labels),
        "accuracy": round(float((guess == labels).mean()), 4),
        "macro_f1": round(float(np.mean(f1)), 4),
        "valence_ccc": round(concordance(expected, wanted), 4),
        "accuracy_by_class": right,
    }
