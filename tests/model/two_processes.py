"""What each of two processes runs in test_train: a few steps in each process, then the weights of each written."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from model.train import train
from tests.model.conftest import WIDTHS, signed_pool
from tests.model.test_train import SETTINGS

folder = Path(sys.argv[1])
pools = {m: signed_pool(m, seed=i) for i, m in enumerate(WIDTHS)}
network = train(replace(SETTINGS, steps=4, checkpoint_every=4), pools, folder)
save_file(network.state_dict(), folder / f"rank{os.environ['RANK']}.safetensors")
