"""What each of two processes runs in test_train: the whole command on made pools, and its network written by each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from model import train
from model.data.corpora import Parts
from model.provenance.seen import Seen
from tests.model.conftest import WIDTHS, signed_pool
from tests.model.test_train import IMAGES

folder, rank = Path(sys.argv[1]), os.environ["RANK"]
learn = train.train


def load(data: Path) -> dict[str, Parts]:
    """The made pools; each process notes when it asked for them."""
    with (folder / "loaded").open("a") as order:
        order.write(rank)
    pools = {m: signed_pool(m, seed=i) for i, m in enumerate(WIDTHS)}
    return {m: Parts(pool, pool) for m, pool in pools.items()}


def learn_and_keep(*given):
    """The training, and what this process has learnt."""
    network = learn(*given)
    save_file(network.state_dict(), folder / f"rank{rank}.safetensors")
    return network


def what_trains(data: Path) -> Seen:
    """Nothing; each process that writes the mark is noted."""
    (folder / f"wrote{rank}").touch()
    return Seen.of([], [], IMAGES)


train.load_training, train.train, train.what_trains = load, learn_and_keep, what_trains
train.main(
    [
        str(folder / "config.toml"),
        *("--data", str(folder)),
        *("--run", str(folder / "run")),
        *("--out", str(folder / "out")),
    ]
)
