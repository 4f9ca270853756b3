from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.corpora import Split
from model.evaluate import evaluate, table
from model.streams import StreamSettings
from model.train import CONFIGS, TrainSettings, build, read_settings, train

SETTINGS = TrainSettings(
    steps=120,
    batch=8,
    learning_rate=5e-3,
    checkpoint_every=20,
    network={"d_model": 16, "d_state": 4, "layers": 1, "dropout": 0.0},
    streams=StreamSettings(ticks=30),
)


def test_training_learns_what_the_features_say_and_evaluation_sees_it(pools, tmp_path):
    splits = {m: Split(p, p) for m, p in pools.items()}
    before = evaluate(build(SETTINGS, pools).eval(), splits)
    after = evaluate(train(SETTINGS, pools, tmp_path), splits)
    for part in ("text", "speech", "faces"):
        assert after[part]["all"]["ccc"] > max(0.5, before[part]["all"]["ccc"])
    assert after["streams"]["all"]["mae"] < before["streams"]["all"]["mae"]
    assert "faces" in table(after)


def test_a_stopped_run_goes_on_where_it_was(pools, tmp_path):
    train(replace(SETTINGS, steps=20), pools, tmp_path / "a")
    steps = [json.loads(line)["step"] for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(20))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "last.pt").write_bytes((tmp_path / "a" / "last.pt").read_bytes())
    resumed = train(replace(SETTINGS, steps=20), pools, tmp_path / "b")
    saved = torch.load(tmp_path / "a" / "last.pt", weights_only=True)["parts"][0]
    assert all(torch.equal(v, saved[k]) for k, v in resumed.state_dict().items())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_config_reads(path: Path):
    assert read_settings(path).steps > 0


def test_a_setting_that_does_not_exist_is_refused(tmp_path):
    (tmp_path / "c.toml").write_text("stpes = 3\n")
    with pytest.raises(TypeError, match="stpes"):
        read_settings(tmp_path / "c.toml")


@pytest.mark.parametrize(("module", "argument"), [("model.train", "--data"), ("model.evaluate", None)])
def test_data_that_is_not_there_is_one_clear_line(module, argument, tmp_path):
    command = [sys.executable, "-m", module, *filter(None, [argument]), str(tmp_path / "none")]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert ended.returncode == 2
    assert "there is no folder" in ended.stderr
    assert "Traceback" not in ended.stderr
