"""How a network reads streams: per tick with all modalities and with each alone, how late, and within what interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from model.coupled.network import CoupledMamba
from model.data.pool import Pool
from model.data.streams import ALL, STEP, TOLD, Batch, Streams, StreamSettings
from model.evaluation.calibration import drawn
from model.measures import metrics
from model.measures.intervals import around, name_of, subsets

Array = NDArray[np.float32]
Figures = dict[str, float]
HELD = 5  # ticks that a turned sign has to hold, 1 s, to count as turned


def on_streams(
    network: CoupledMamba, pools: Mapping[str, Pool], seed: int, count: int = 128
) -> dict[str, Figures]:
    """Streams of agreeing utterances: per tick, with all modalities and with each alone.

    3 to 12 are drawn for each stream, and what does not fit into its 60 s is cut: `utterances` is the mean number that
    began, `utterances_most` the greatest. acc2 is left out where no rating has a sign.
    """
    settings = replace(
        StreamSettings(), utterances=(3, 12), ticks=300, disagree=0.0, everything=1.0, voice_shift=0.0
    )
    batch = Streams(pools, settings, seed).batch(count)
    begun = [len(ends) for ends in batch.ends]
    report: dict[str, Figures] = {}
    for name, kept in {"all": ALL, **{m: (m,) for m in ALL}}.items():
        only = np.array([m in kept for m in ALL], np.float32)
        ticks = tick_scores(network, batch, batch.presence * only)
        told = batch.weight > TOLD
        report[name] = {
            "n": int(told.sum()),
            "utterances": float(np.mean(begun)),
            "utterances_most": max(begun),
            "mae": metrics.mae(ticks[told], batch.target[told]),
            "ccc": metrics.ccc(ticks[told], batch.target[told]),
        }
        if metrics.has_signs(batch.target[told]):
            report[name]["acc2"] = metrics.sign_accuracy(ticks[told], batch.target[told])
        report[name] |= lateness(*lags(ticks, batch))
    return report


def coverage(network: CoupledMamba, pools: Mapping[str, Pool], seed: int, count: int = 128) -> Figures:
    """How often the 90 % intervals hold the truth and how wide they are, over every set of modalities given evenly.

    coverage and width are those of ticks, clip_coverage and clip_width those of clips; widening is the mean width of
    ticks where words and voice conflict over that where they agree, the same modalities given; left out where none do.
    """
    told: list[Array] = []
    clips: list[Array] = []
    for given in subsets(ALL):
        batch, output = drawn(network, pools, given, seed, count)
        q_tick, q_clip = network.config.intervals[name_of(given, ALL)]
        keep = batch.weight > TOLD
        low, high = around(output.ticks.numpy(), output.tick_scale.numpy(), q_tick)
        told.append(np.stack([(low <= batch.truth) & (batch.truth <= high), high - low])[:, keep])
        low, high = around(output.clip.numpy(), output.clip_scale.numpy(), q_clip)
        clips.append(np.stack([(low <= batch.clip_truth) & (batch.clip_truth <= high), high - low]))
    ticks_held, clips_held = (np.mean([part.mean(1) for part in parts], 0) for parts in (told, clips))
    figures = {
        "coverage": float(ticks_held[0]),
        "width": float(ticks_held[1]),
        "clip_coverage": float(clips_held[0]),
        "clip_width": float(clips_held[1]),
    }
    wider = widening(network, pools, seed, count)
    return figures if wider is None else figures | {"widening": wider}


def widening(network: CoupledMamba, pools: Mapping[str, Pool], seed: int, count: int) -> float | None:
    """Mean scale of ticks of words and voice in conflict over that of words and voice that agree.

    None where none conflict.
    """
    scales = []
    for disagree in (1.0, 0.0):
        settings = replace(StreamSettings(), disagree=disagree, voice_shift=0.0)
        batch = Streams(pools, settings, seed).batch(count, ("text", "audio"))
        conflict = np.abs(batch.truth - batch.target) > 1.0 if disagree else np.full(batch.truth.shape, True)
        with torch.inference_mode():
            values = {m: torch.from_numpy(v) for m, v in batch.values.items()}
            scale = network(values, torch.from_numpy(batch.presence)).tick_scale.numpy()
        kept = conflict & (batch.weight > TOLD)
        if not kept.any():
            return None
        scales.append(float(scale[kept].mean()))
    return scales[0] / scales[1]


def tick_scores(network: CoupledMamba, batch: Batch, presence: Array) -> Array:
    """Scores [B, L] of a batch of streams with another presence."""
    with torch.inference_mode():
        values = {m: torch.from_numpy(v) for m, v in batch.values.items()}
        return network(values, torch.from_numpy(presence)).ticks.numpy()


def lags(ticks: Array, batch: Batch) -> tuple[Array, Array]:
    """How late the sign follows each change of sign, in seconds, told in two ways [flips]; infinite for never.

    held: from the end of the utterance before to the first tick of the new one from which the new sign holds for a
    second (throughout, where the new one is shorter), all of it within the new utterance. first: from the new
    utterance's start to the first tick with its sign, whether it holds or not: the pause between the two, of up to a
    second, is not counted, and a score that jumps about near neutral does well by it.

    The next utterance is where the target changes: one of the very same score as the one before it has no start that
    could be told. A flip is counted once, from the utterance right before it.
    """
    held, first = [], []
    for b, ends in enumerate(batch.ends):
        target = batch.target[b]
        for before, end in pairwise(ends):
            start = before + 1 + int(np.argmax(target[before + 1 : end + 1] != target[before]))
            if target[start] * target[before] < 0:
                right = np.sign(ticks[b, start:]) == np.sign(target[start])
                first.append(_first(right) * STEP)
                held.append((start - before - 1 + _first(holding(right[: end + 1 - start]))) * STEP)
    return np.array(held, np.float32), np.array(first, np.float32)


def holding(right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether `right` [T] is true from each tick on for HELD ticks, or for all of them where there are fewer."""
    windows = np.lib.stride_tricks.sliding_window_view(right, min(HELD, len(right)))
    return np.asarray(windows.all(1))


def _first(right: NDArray[np.bool_]) -> float:
    return float(np.argmax(right)) if right.any() else np.inf


def lateness(held: Array, first: Array) -> Figures:
    """flips, their number; lag_s and flips_within_2s, the median of `held` and its share within 2 s; and the same of
    `first` as first_lag_s and first_within_2s.

    A lag is left out without flips and where most were never followed: JSON knows no infinity.
    """
    figures: Figures = {"flips": len(held)}
    for late, lag, share in ((held, "lag_s", "flips_within_2s"), (first, "first_lag_s", "first_within_2s")):
        if len(late):
            if np.isfinite(median := float(np.median(late))):
                figures[lag] = median
            figures[share] = float((late <= 2.0).mean())
    return figures
