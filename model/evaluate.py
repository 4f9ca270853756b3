"""Measure a checkpoint on rated data: `python -m model.evaluate DATA_DIR [--checkpoint DIR] [--json OUT]`.

By default on the validation part: sentences of groups, speakers and faces that trained nothing here. Every row
stands beside the best constant, the training part's median or mean, which a model has to beat to have read
anything.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model import metrics
from model.corpora import Pool, Split
from model.inference import WEIGHTS
from model.network import CoupledMamba
from model.streams import ALL, STEP, Batch, Streams, StreamSettings, spread_words
from model.train import load_splits

Array = NDArray[np.float32]
Report = dict[str, dict[str, float]]
FACE_TICKS = 5


def evaluate(network: CoupledMamba, splits: dict[str, Split], seed: int = 7) -> dict[str, Report]:
    """Every modality alone on its own corpora, then streams of all: {part: {row: {measure: figure}}}."""
    rng = np.random.default_rng(seed)

    def words(pool: Pool, i: int) -> tuple[Array, Array]:
        return spread_words(pool.features(i), 0.36, rng)

    def voice(pool: Pool, i: int) -> tuple[Array, Array]:
        return pool.features(i).astype(np.float32), pool.observed(i)

    def face(pool: Pool, i: int) -> tuple[Array, Array]:
        return pool.features(i).astype(np.float32).repeat(FACE_TICKS, 0), np.ones(FACE_TICKS, np.float32)

    return {
        "text": by_source(network, "text", splits["text"], words),
        "speech": by_source(network, "audio", splits["audio"], voice),
        "faces": by_source(network, "visual", splits["visual"], face),
        "streams": on_streams(network, {m: s.valid for m, s in splits.items()}, seed),
    }


def by_source(
    network: CoupledMamba, modality: str, split: Split, lay_out: Callable[[Pool, int], tuple[Array, Array]]
) -> Report:
    """Clip scores from one modality alone against the ratings, for each corpus and for all."""
    pool = split.valid
    predicted = clip_scores(network, modality, [lay_out(pool, i) for i in range(len(pool))])
    report = {}
    for source in ["all", *np.unique(pool.source)]:
        keep = np.full(len(pool), True) if source == "all" else pool.source == source
        report[str(source)] = compare(predicted[keep], pool.score[keep], split.train.score)
    return report


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


def compare(predicted: Array, rated: Array, training: Array) -> dict[str, float]:
    """The measures of model.metrics, and the constants' figures."""
    return {
        "n": len(rated),
        "mae": metrics.mae(predicted, rated),
        "mae_constant": metrics.mae(np.full_like(rated, np.median(training)), rated),
        "r": metrics.pearson(predicted, rated),
        "ccc": metrics.ccc(predicted, rated),
        "acc2": metrics.sign_accuracy(predicted, rated),
        "acc2_constant": metrics.sign_accuracy(np.full_like(rated, np.mean(training)), rated),
        "balanced_acc2": metrics.balanced_sign_accuracy(predicted, rated),
    }


def on_streams(network: CoupledMamba, pools: dict[str, Pool], seed: int, count: int = 128) -> Report:
    """Streams of 3 to 6 agreeing utterances: per tick, with all modalities and with each alone."""
    settings = replace(StreamSettings(), utterances=(3, 6), ticks=200, disagree=0.0, everything=1.0)
    batch = Streams(pools, settings, seed).batch(count)
    report = {}
    for name, kept in {"all": ALL, **{m: (m,) for m in ALL}}.items():
        only = np.array([m in kept for m in ALL], np.float32)
        ticks = tick_scores(network, batch, batch.presence * only)
        told = batch.weight > 0.999
        report[name] = {
            "n": int(told.sum()),
            "mae": metrics.mae(ticks[told], batch.target[told]),
            "ccc": metrics.ccc(ticks[told], batch.target[told]),
            "acc2": metrics.sign_accuracy(ticks[told], batch.target[told]),
            "lag_s": lag(ticks, batch),
        }
    return report


def tick_scores(network: CoupledMamba, batch: Batch, presence: Array) -> Array:
    """Scores [B, L] of a batch of streams with another presence."""
    with torch.inference_mode():
        values = {m: torch.from_numpy(v) for m, v in batch.values.items()}
        return network(values, torch.from_numpy(presence)).ticks.numpy()


def lag(ticks: Array, batch: Batch) -> float:
    """Median seconds from the start of an utterance of another sign to the first tick with that sign."""
    delays = []
    for b, ends in enumerate(batch.ends):
        signs = np.sign(batch.target[b])
        for before in ends[:-1]:
            start = before + 1 + int(np.argmax(signs[before + 1 :] != signs[before]))
            if signs[start] * signs[before] < 0:
                right = np.flatnonzero(np.sign(ticks[b, start:]) == signs[start])
                delays.append(right[0] * STEP if len(right) else np.inf)
    return float(np.median(delays))


def table(report: dict[str, Report]) -> str:
    """The report as lines to read."""
    lines = []
    for part, rows in report.items():
        for row, figures in rows.items():
            cells = (f"{k} {v:.0f}" if k == "n" else f"{k} {v:.3f}" for k, v in figures.items())
            lines.append(f"{part:8s} {row:10s} " + "  ".join(cells))
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.evaluate", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with text/, speech/ and faces/")
    parser.add_argument("--checkpoint", type=Path, default=WEIGHTS)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"there is no folder {arguments.data}: name the one with text/, speech/ and faces/")
    network = CoupledMamba.from_pretrained(arguments.checkpoint).eval()
    report = evaluate(network, load_splits(arguments.data))
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
