"""Is what carries a score what it would miss? `python -m model.deletion DATA_DIR [--checkpoint DIR] [--json OUT]`.

Streams of held utterances, words, voice and face together, sometimes in conflict. A moment's score is split by two
rules into stretches of one second of one modality; the stretches that are said to carry most are masked, as if they
had not been observed, and the network runs anew. How far the score then moves towards the other side, by how many
stretches are gone, is the deletion curve (after Samek et al. 2017, arXiv 1509.06321). Random stretches are the floor.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.command_line import UNREADABLE, at_least_one, make_room, write_json
from model.coupled.explain import explain_last_layer
from model.coupled.network import CoupledMamba
from model.coupled.split import split_score
from model.data.pool import Pool
from model.data.streams import ALL, Streams, StreamSettings
from model.data.unseen import load_unseen
from model.inference.loading import load_checked
from model.provenance.seen import Seen
from model.provenance.sums import WEIGHTS

Array = NDArray[np.float64]
Clip = tuple[dict[str, Tensor], Tensor]
STRETCH = 5  # ticks masked at once: a second
GONE = (1, 3, 6, 12)  # stretches masked one after another
LEAST = 0.5  # points from neutral that a score is at least, so that there is something to take away
TRIES = 20  # moments drawn for each that is kept, at most
SETTINGS = replace(
    StreamSettings(), utterances=(3, 12), ticks=150, disagree=0.3, everything=1.0, voice_shift=0.0
)


def all_layers(network: CoupledMamba, clip: Clip) -> Tensor:
    """[M, T] by the split through all layers."""
    return split_score(network, *clip, -1).sources[0]


def last_layer(network: CoupledMamba, clip: Clip) -> Tensor:
    """[M, T] by the last layer's exact shares."""
    found = explain_last_layer(network, *clip, -1)
    sources = found.sources[0].clone()
    sources[:, -1] += found.skip[0]
    return sources


RULES: dict[str, Callable[[CoupledMamba, Clip], Tensor]] = {
    "all layers": all_layers,
    "last layer": last_layer,
}


def deletion(
    network: CoupledMamba, pools: Mapping[str, Pool], count: int, seed: int = 0
) -> dict[str, list[float]]:
    """By rule: the mean points by which the score moves towards the other side once GONE stretches are masked.

    Also "random", and "absolute score", the mean distance of the scores from neutral; over `count` moments. Raises
    ValueError where too few moments have a score to take away from.
    """
    rng = np.random.default_rng(seed)
    streams = Streams(pools, SETTINGS, seed)
    curves: dict[str, list[list[float]]] = {name: [] for name in (*RULES, "random", "absolute score")}
    for _ in range(TRIES * count):
        clip, score = moment(network, streams, rng)
        if abs(score) < LEAST:
            continue
        cells = stretches(clip[1])
        side = np.sign(score)
        orders = {name: ranked(rule(network, clip), cells, side) for name, rule in RULES.items()}
        orders["random"] = rng.permutation(len(cells))
        for name, order in orders.items():
            curves[name].append([side * (score - s) for s in without(network, clip, cells[order])])
        curves["absolute score"].append([abs(score)])
        if len(curves["random"]) == count:
            break
    else:
        raise ValueError(
            f"of {TRIES * count} moments only {len(curves['random'])} have a score of {LEAST} or more from neutral, "
            f"and {count} were asked for: this network hardly moves"
        )
    return {name: np.mean(rows, axis=0).round(4).tolist() for name, rows in curves.items()}


def moment(network: CoupledMamba, streams: Streams, rng: np.random.Generator) -> tuple[Clip, float]:
    """A stream up to a moment in its later half, and the score there; its ticks are whole stretches."""
    batch = streams.batch(1)
    length = STRETCH * (int(rng.integers(SETTINGS.ticks // 2, SETTINGS.ticks)) // STRETCH)
    values = {m: torch.from_numpy(v[:, :length]) for m, v in batch.values.items()}
    clip = values, torch.from_numpy(batch.presence[:, :length])
    with torch.inference_mode():
        return clip, float(network(*clip).ticks[0, -1])


def stretches(presence: Tensor) -> NDArray[np.intp]:
    """Rows (modality, stretch) of those in which something was observed."""
    seen = presence[0].unflatten(0, (-1, STRETCH)).amax(1) > 0
    return seen.T.nonzero().numpy()


def ranked(sources: Tensor, cells: NDArray[np.intp], side: float) -> NDArray[np.intp]:
    """The stretches' numbers, the one first that pulls most to the side on which the score is."""
    sums = sources.unflatten(-1, (-1, STRETCH)).sum(-1).numpy()
    return np.argsort(-side * sums[cells[:, 0], cells[:, 1]], kind="stable")


def without(network: CoupledMamba, clip: Clip, cells: NDArray[np.intp]) -> list[float]:
    """The moment's score with the first of the stretches masked, for every number in GONE."""
    values, presence = clip
    masked = presence.expand(len(GONE), -1, -1).clone()
    for row, gone in enumerate(GONE):
        for m, stretch in cells[:gone]:
            masked[row, stretch * STRETCH : (stretch + 1) * STRETCH, m] = 0
    with torch.inference_mode():
        rows = {m: v.expand(len(GONE), -1, -1) for m, v in values.items()}
        return [float(s) for s in network(rows, masked).ticks[:, -1]]


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.deletion", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with text/, speech/ and faces/")
    parser.add_argument(
        "--checkpoint", type=Path, default=WEIGHTS, help="folder of a network (the packaged one)"
    )
    parser.add_argument("--count", type=at_least_one, default=100, help="moments")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args(given)
    make_room(parser, arguments.json)
    try:
        seen, network = Seen.load(arguments.checkpoint), load_checked(arguments.checkpoint)
    except UNREADABLE as error:
        parser.error(str(error))
    if not isinstance(network, CoupledMamba) or network.config.fusion not in CoupledMamba.fusions:
        parser.error(
            f"{arguments.checkpoint} is a baseline of {network.config.fusion} fusion, which has no states to split: "
            "give a coupled network, or independent chains"
        )
    pools = load_unseen(arguments.data, seen)
    signed = {m: p.select(np.isfinite(p.score)) for m, p in pools.items()}
    if missing := [m for m in ALL if m not in signed or not len(signed[m])]:
        parser.error(f"{arguments.data} has nothing new to {arguments.checkpoint} of {', '.join(missing)}")
    figures = deletion(network, signed, arguments.count)
    print("stretches gone", *GONE, sep="\t")
    for name, curve in figures.items():
        print(name, *(f"{points:+.2f}" for points in curve), sep="\t")
    write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
