"""What an extractor itself says of the sentiment, read from its columns: the score it was trained to give.

A network is taught by it what a modality says alone (`StreamSettings.own`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extractors.face.expression import EXPRESSIONS
from extractors.voice.encoder import SCORES
from extractors.words.embeddings import EMBEDDING

Array = NDArray[np.float32]


def own_scores(modality: str, rows: NDArray[np.floating]) -> Array:
    """The extractor's score [T], about -3..3, at each of its rows [T, D]; their mean is that of an utterance.

    Of words and voices it is a column; of a face the score expected under its expressions, surprise left out. Raises
    ValueError for a modality that has no extractor here.
    """
    told = np.asarray(rows, np.float32)
    if modality == "text":
        return told[:, EMBEDDING]
    if modality == "audio":
        return told[:, -1]
    if modality == "visual":
        return _expected(told[:, -len(EXPRESSIONS) :])
    raise ValueError(
        f"no extractor is known for modality {modality!r}: own scores are of text, audio and visual"
    )


def _expected(probabilities: Array) -> Array:
    scores = np.array([SCORES[name] for name in EXPRESSIONS], np.float32)
    signed = np.isfinite(scores)
    share = probabilities[:, signed]
    return np.asarray(share @ scores[signed] / share.sum(1).clip(1e-6), np.float32)
