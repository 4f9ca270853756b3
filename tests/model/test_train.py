from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from model.fusion.baselines import load_network
from model.provenance.seen import Seen
from model.train import main
from model.training.streams import train
from tests.model.training.test_streams import SETTINGS

CONFIG = """
steps = 4
batch = 8
learning_rate = 5e-3
checkpoint_every = 4
[network]
d_model = 16
d_state = 4
layers = 1
dropout = 0.0
[streams]
ticks = 30
"""
IMAGES = np.zeros((1, 48, 48), np.uint8)


@pytest.mark.parametrize(("module", "argument"), [("model.train", "--data"), ("model.evaluate", None)])
def test_data_that_is_not_there_is_one_clear_line(module, argument, tmp_path):
    command = [sys.executable, "-m", module, *filter(None, [argument]), str(tmp_path / "none")]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert ended.returncode == 2
    assert "there is no folder" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_data_is_named_by_whoever_trains(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "the following arguments are required: --data" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_one_network_on_different_streams(pools, tmp_path):
    """What several GPUs do, with two processes on the CPU; torchrun is what `accelerate launch` starts there."""
    settings = replace(SETTINGS, steps=4)
    alone = train(settings, pools, tmp_path / "alone").state_dict()
    (tmp_path / "config.toml").write_text(CONFIG)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    ended = subprocess.run(
        [sys.executable, *launch, "-m", "tests.model.two_processes", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=500,
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    first, second = (load_file(tmp_path / f"rank{i}.safetensors") for i in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert any(not torch.equal(first[k], alone[k]) for k in first)
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 4, "one process logs"
    assert (tmp_path / "loaded").read_text() == "01", (
        "the first makes the features, then the other reads them"
    )
    assert [p.name for p in tmp_path.glob("wrote*")] == ["wrote0"], "one process writes"
    written = load_network(tmp_path / "out")
    assert all(torch.equal(first[k], v) for k, v in written.state_dict().items())
    assert len(written.config.intervals) == 7
    assert Seen.load(tmp_path / "out").faces(IMAGES).all()
