"""Networks as they were saved, held against their sums and ready to predict: the packaged ones and any other."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from safetensors.torch import load_model

from model.coupled.config import CoupledMambaConfig
from model.coupled.network import CoupledMamba
from model.fusion.baselines import Network, load_network, saved_files
from model.provenance import made_from
from model.provenance.sums import WEIGHTS, check

INDEPENDENT = WEIGHTS / "independent"
READ = ("config.json", made_from.NAME, "model.safetensors")


@functools.cache
def load_default() -> CoupledMamba:
    """The packaged checkpoint, ready to predict.

    Read by hand: `CoupledMamba.from_pretrained`, which does the same for folders and hub names, prints to stdout.
    """
    for name in READ:
        check(WEIGHTS / name)
    made_from.warn_of_folder(WEIGHTS)
    config = json.loads((WEIGHTS / "config.json").read_text(encoding="utf-8"))
    network = CoupledMamba(CoupledMambaConfig(**config))
    load_model(network, WEIGHTS / "model.safetensors")
    return network.eval()


def load_independent() -> Network:
    """The packaged network whose chains do not hear each other, to compare with; ready to predict.

    Raises FileNotFoundError where it is not installed.
    """
    return _load_independent(INDEPENDENT)


@functools.cache
def _load_independent(folder: Path) -> Network:
    return load_checked(folder)


def load_checked(folder: Path | str) -> Network:
    """What `save_pretrained` of any fusion left in a folder, held against the folder's sums and ready to predict.

    Raises FileNotFoundError where nothing was saved there and DamagedWeightsError for a damaged file; warns where it
    was trained with other extractors than those installed.
    """
    folder = saved_files(folder)[0].parent
    for name in READ:
        check(folder / name)
    made_from.warn_of_folder(folder)
    return load_network(folder)
