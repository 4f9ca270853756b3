"""Does coupling help? `python -m model.compare DATA_DIR [CONFIG] [--seeds 5] [--json OUT]`.

Small networks that differ in how the modalities meet, and in nothing else, trained by the same schedule on the same
streams, seed by seed, and read on streams that trained nothing, also with ticks hidden. A seed's networks see the same
data in the same order, so the differences are paired.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.command_line import CONFIGS, at_least_one, make_room, read_config, write_json
from model.coupled.config import CoupledMambaConfig
from model.coupled.network import CoupledMamba
from model.data.corpora import load_training, what_trains
from model.data.pool import Pool
from model.data.streams import ALL, TOLD, Batch, Streams, StreamSettings
from model.data.unseen import load_unseen
from model.evaluation.streams import tick_scores
from model.fusion.baselines import match_width, parameters
from model.measures import metrics
from model.measures.paired import plain_test
from model.training.streams import TrainSettings, build, read_settings, train

Network = dict[str, object]
WAYS: dict[str, Network] = {
    "coupled, learned": {"coupling": "learned"},
    "coupled, mean": {"coupling": "mean"},
    "independent": {"fusion": "independent"},
    "late": {"fusion": "late"},
    "concat": {"fusion": "concat"},
    "attention": {"fusion": "attention"},
}
HIDDEN = (0.0, 0.3, 0.5, 0.7)
BASE = "independent"
Scores = dict[str, float]


def compare(
    settings: TrainSettings,
    train_pools: Mapping[str, Pool],
    valid: Mapping[str, Pool],
    seeds: Sequence[int],
    run: Path,
    count: int = 128,
) -> dict[str, list[Scores]]:
    """{way: [figures of each seed on `count` streams]}, every way with about as many parameters as the coupled one."""
    batch = unseen_streams(valid, count)
    found: dict[str, list[Scores]] = {way: [] for way in WAYS}
    for seed in seeds:
        for way, changes in WAYS.items():
            tried = replace(settings, seed=seed, network=matched(settings, train_pools, changes))
            network = train(tried, dict(train_pools), run / f"{way.replace(', ', '-')}-{seed}")
            found[way].append({"parameters": parameters(network)} | measure(network, batch))
    return found


def matched(settings: TrainSettings, pools: Mapping[str, Pool], changes: Network) -> Network:
    """The settings' network with `changes`, as wide as it takes to have as many parameters."""
    widths = tuple(pools[m].rows.shape[1] for m in ALL)
    own: Network = settings.network
    target = parameters(build(settings, dict(pools)))
    config = CoupledMambaConfig(ALL, widths, **{**own, **changes})  # type: ignore[arg-type]
    return {**own, **changes, "d_model": match_width(config, target, tolerance=0.1).d_model}


def unseen_streams(pools: Mapping[str, Pool], count: int, seed: int = 7) -> Batch:
    """Streams of 3 to 6 agreeing utterances with all modalities."""
    settings = replace(
        StreamSettings(), utterances=(3, 6), ticks=200, disagree=0.0, everything=1.0, voice_shift=0.0
    )
    return Streams(pools, settings, seed).batch(count)


def measure(network: CoupledMamba, batch: Batch) -> Scores:
    """CCC per tick, with a share of each modality's ticks hidden, and of each modality alone."""
    told = batch.weight > TOLD
    rng = np.random.default_rng(0)
    given: dict[str, NDArray[np.float32]] = {
        f"hidden {share:.0%}": (rng.random(batch.presence.shape) >= share).astype(np.float32)
        for share in HIDDEN
    }
    given |= {f"{m} alone": np.array([o == m for o in ALL], np.float32) for m in ALL}
    return {
        name: metrics.ccc(tick_scores(network, batch, batch.presence * kept)[told], batch.target[told])
        for name, kept in given.items()
    }


def table(found: Mapping[str, list[Scores]]) -> str:
    """Mean and standard deviation over the seeds, and the paired test against independent chains."""
    names = [n for n in found[BASE][0] if n != "parameters"]
    lines = ["| | parameters | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for way, runs in found.items():
        cells = []
        for name in names:
            ours, base = (np.array([r[name] for r in rows]) for rows in (runs, found[BASE]))
            p = f", p {plain_test(ours, base).p:.2f}" if way != BASE and len(ours) > 1 else ""
            cells.append(f"{ours.mean():.3f} ± {ours.std(ddof=min(1, len(ours) - 1)):.3f}{p}")
        lines.append(f"| {way} | {runs[0]['parameters']:,.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.compare", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with text/, speech/ and faces/")
    parser.add_argument(
        "config",
        nargs="?",
        type=Path,
        default=CONFIGS / "compare.toml",
        help="sizes and steps (configs/compare.toml)",
    )
    parser.add_argument("--seeds", type=at_least_one, default=5, help="runs of each network (5)")
    parser.add_argument(
        "--run", type=Path, default=Path("runs/compare"), help="where finished runs are kept (runs/compare)"
    )
    parser.add_argument("--json", type=Path, help="write every run's figures here")
    arguments = parser.parse_args(given)
    make_room(parser, arguments.json)
    settings = read_config(parser, read_settings, arguments.config)
    if not arguments.data.is_dir():
        parser.error(f"there is no folder {arguments.data}: name the one with text/, speech/ and faces/")
    torch.set_num_threads(1)  # runs are small; start several commands with other seeds for more cores
    parts = load_training(arguments.data)
    unseen = load_unseen(arguments.data, what_trains(arguments.data))
    valid = {m: p.select(np.isfinite(p.score)) for m, p in unseen.items()}
    found = compare(
        settings,
        {m: p.train for m, p in parts.items()},
        valid,
        range(1, arguments.seeds + 1),
        arguments.run,
    )
    print(table(found))
    write_json(arguments.json, found)


if __name__ == "__main__":
    main()
