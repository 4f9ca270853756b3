"""One adapter out of several: python -m extractors.blend_text FOLDER FOLDER... [--rank R] [--weights OUT].

The folders are what `extractors.train_text` wrote with one seed each. Networks tuned from the same start lie in one
basin, and the mean of their weights, at the cost of one, often does better on new sentences than any of them (Wortsman
et al. 2022, "Model soups"); of the two packaged it did not (MODEL_CARD.md). The mean of low-rank
products has a higher rank: PEFT cuts it back to R by its largest singular values.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from extractors.words.adapter import READOUTS, WEIGHTS, Config, check, load_head, seal
from extractors.words.embeddings import load_base

RANK = 32
MEAN = "default"  # the name whose files PEFT writes into the folder itself


def blend(folders: Sequence[Path], folder: Path, rank: int = RANK) -> Config:
    """Write the mean of the adapters and of their readouts to `folder`, cut back to `rank`; the folder's json.

    Raises ValueError for fewer than two folders, and what `adapter.check` raises for each of them.
    """
    from peft import PeftModel

    if len(folders) < 2:
        raise ValueError(f"a mean needs two adapters or more, got {len(folders)}: name another folder")
    trained: dict[str, object] = {"rank": rank, "mean_of": [check(path)["trained"] for path in folders]}
    names = [f"seed{i}" for i in range(len(folders))]
    network = PeftModel.from_pretrained(load_base()[0].auto_model, str(folders[0]), adapter_name=names[0])
    for name, path in zip(names[1:], folders[1:], strict=True):
        network.load_adapter(str(path), adapter_name=name)
    shares = [1 / len(names)] * len(names)
    network.base_model.add_weighted_adapter(names, shares, MEAN, combination_type="svd", svd_rank=rank)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(str(folder), selected_adapters=[MEAN])
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card; ours is MODEL_CARD.md
    return seal(mean_head(folders), folder, trained)


def mean_head(folders: Sequence[Path]) -> nn.Linear:
    """The mean of the folders' readouts."""
    heads = [load_head(path) for path in folders]
    mean = nn.Linear(heads[0].weight.shape[1], len(READOUTS))
    with torch.no_grad():
        mean.weight.copy_(torch.stack([torch.from_numpy(h.weight) for h in heads]).mean(0))
        mean.bias.copy_(torch.stack([torch.from_numpy(h.bias) for h in heads]).mean(0))
    return mean


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m extractors.blend_text", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="what extractors.train_text wrote, one a seed")
    parser.add_argument("--rank", type=int, default=RANK, help=f"of the mean ({RANK})")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder the mean is written to")
    options = parser.parse_args()
    blend(options.folders, options.weights, options.rank)


if __name__ == "__main__":
    main()
