"""Utterances of one modality as a network reads them, each a clip by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from model.data.streams import spread_words

if TYPE_CHECKING:
    from model.coupled.network import CoupledMamba
    from model.data.pool import Pool

Array = NDArray[np.float32]
WORD_SECONDS = 0.36


def sentence_scores(network: CoupledMamba, pool: Pool, seed: int) -> Array:
    """The clip score [n] of each sentence, its words spoken at an even pace."""
    rng = np.random.default_rng(seed)
    clips = [spread_words(pool.features(i), WORD_SECONDS, rng) for i in range(len(pool))]
    return clip_scores(network, "text", clips)


def in_classes(pool: Pool) -> NDArray[np.bool_]:
    """Which sentences [n] were rated in five classes: those of SST."""
    return np.char.startswith(pool.source, "sst")


def clip_scores(network: CoupledMamba, modality: str, clips: Sequence[tuple[Array, Array]]) -> Array:
    """The clip score of each (values [T, D], presence [T]), in batches of like length."""
    scores = np.zeros(len(clips), np.float32)
    for picked in batches_by_length([len(v) for v, _ in clips], 64):
        length = max(len(clips[i][0]) for i in picked)
        values = {m: torch.zeros(len(picked), length, w) for m, w in network.config.features.items()}
        presence = torch.zeros(len(picked), length, len(values))
        for row, i in enumerate(picked):
            rows, seen = clips[i]
            values[modality][row, : len(rows)] = torch.from_numpy(rows)
            presence[row, : len(rows), network.config.modalities.index(modality)] = torch.from_numpy(seen)
        with torch.inference_mode():
            scores[picked] = network(values, presence).clip.numpy()
    return scores


def batches_by_length(lengths: Sequence[int], size: int) -> Iterator[NDArray[np.intp]]:
    """Indices in groups of about the same length, so that little is padded."""
    order = np.argsort(lengths, kind="stable")
    yield from (order[i : i + size] for i in range(0, len(order), size))
