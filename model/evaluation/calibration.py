"""What is set after training, on data that trained nothing: intervals, and how wide classes of ratings are.

Intervals are split conformal: for each set of modalities given, q is the conformal quantile of |truth - score| / scale
(Papadopoulos et al. 2002; Angelopoulos and Bates 2021, section 2.2). Where modalities disagree the truth is that of
one of them, which cannot be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from model.data.streams import ALL, TOLD, Batch, Streams, StreamSettings
from model.evaluation.reading import in_classes, sentence_scores
from model.measures.intervals import name_of, quantile, subsets

if TYPE_CHECKING:
    from model.coupled.network import CoupledMamba, Output
    from model.data.pool import Pool

Array = NDArray[np.float32]
FEWEST = 50  # sentences from which a spread is taken


def calibrate(
    network: CoupledMamba, pools: Mapping[str, Pool], seed: int = 11, count: int = 192
) -> dict[str, list[float]]:
    """{set: [q of ticks, q of clips]} from `count` streams a set, drawn from pools that trained nothing."""
    found = {}
    for given in subsets(ALL):
        batch, output = drawn(network, pools, given, seed, count)
        told = batch.weight > TOLD
        ticks = excess(output.ticks, output.tick_scale, batch.truth)[told]
        clips = excess(output.clip, output.clip_scale, batch.clip_truth)
        found[name_of(given, ALL)] = [quantile(ticks), quantile(clips)]
    return found


def class_spread(network: CoupledMamba, sentences: Pool, seed: int = 11) -> float:
    """How many times as wide as the scores the ratings lie, of sentences rated in five classes; 1 without such.

    A score that errs least lies nearer to neutral than the ratings do, the more so the less a sentence tells, and the
    class nearest to it is then too often a mild one. Spread as the ratings are, the classes come as often as they are.
    """
    graded = sentences.select(in_classes(sentences))
    scores = sentence_scores(network, graded, seed) if len(graded) else np.zeros(0, np.float32)
    if len(scores) < FEWEST or not scores.std() > 0:
        return 1.0
    return round(float(graded.score.std() / scores.std()), 3)


def drawn(
    network: CoupledMamba, pools: Mapping[str, Pool], given: tuple[str, ...], seed: int, count: int
) -> tuple[Batch, Output]:
    """Streams drawn as StreamSettings' own values have it, of the modalities given, and what the network says of them.

    Whatever a network was trained on, so that intervals of several are told of the same: 32 s of one to six utterances,
    voices as they are.
    """
    settings = replace(StreamSettings(), voice_shift=0.0)
    batch = Streams(pools, settings, seed).batch(count, given)
    with torch.inference_mode():
        values = {m: torch.from_numpy(v) for m, v in batch.values.items()}
        return batch, network.eval()(values, torch.from_numpy(batch.presence))


def excess(score: torch.Tensor, scale: torch.Tensor, truth: Array) -> Array:
    """How many scales the truth lies from the score."""
    return ((score - torch.from_numpy(truth)).abs() / scale).numpy()
