"""`python -m model.mmsa_train CONFIG FILE`: trains, keeps and goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from model import load_network, mmsa_train
from model.data.mmsa import read
from model.training import mmsa as training
from tests.model.mmsa_files import corpus, write

CONFIG = """
corpus = "mosi"
aligned = true
epochs = 4
batch = 8
[network]
d_model = 8
d_state = 2
layers = 1
dropout = 0.2
"""


@pytest.fixture
def given(tmp_path):
    """The command's arguments, for networks in `out` and checkpoints in `run`."""
    (tmp_path / "c.toml").write_text(CONFIG)
    write(tmp_path / "mosi.pkl", corpus(True))
    places = [
        "--out",
        str(tmp_path / "out"),
        "--run",
        str(tmp_path / "run"),
        "--json",
        str(tmp_path / "all.json"),
    ]
    return [str(tmp_path / "c.toml"), str(tmp_path / "mosi.pkl"), *places, "--seeds", "2"]


def test_every_seeds_network_is_saved_with_its_figures_and_loads_again(given, tmp_path, capsys):
    mmsa_train.main(given)
    figures = json.loads((tmp_path / "all.json").read_text(), parse_constant=pytest.fail)
    assert [len(figures[split]) for split in ("valid", "test")] == [2, 2]
    settings = training.read_settings(tmp_path / "c.toml")
    test = read(tmp_path / "mosi.pkl", "mosi", True)["test"]
    for seed in range(2):
        found = training.measure(settings, load_network(tmp_path / "out" / f"seed-{seed}"), test)
        assert found == pytest.approx(figures["test"][seed], abs=1e-5)
        lines = (tmp_path / "run" / f"seed-{seed}" / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2, 3]
        assert list((tmp_path / "run" / f"seed-{seed}").glob("events.out.tfevents*"))
    assert figures["test"][0]["MAE"] != figures["test"][1]["MAE"]
    assert (
        f"MAE              {np.mean([f['MAE'] for f in figures['test']]):.4f} +- " in capsys.readouterr().out
    )


def test_a_stopped_run_ends_where_an_uninterrupted_one_does_and_a_finished_one_is_not_repeated(
    given, tmp_path, monkeypatch
):
    mmsa_train.main([*given, "--seeds", "1"])
    whole = load_network(tmp_path / "out" / "seed-0").state_dict()
    again = [*given, "--seeds", "1", "--out", str(tmp_path / "out2"), "--run", str(tmp_path / "run2")]
    save, saved = training.save, []

    def stop(*parts):
        save(*parts)
        saved.append(parts)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        mmsa_train.main(again)
    assert not (tmp_path / "out2").exists()
    with (tmp_path / "run2" / "seed-0" / "log.jsonl").open("a") as log:
        log.write('{"epoch": 2, "loss": 9.0}\n')  # as if it had been stopped before the checkpoint of epoch 2
    mmsa_train.main(again)
    assert len(saved) == 4, "two epochs before the stop and two after"
    lines = (tmp_path / "run2" / "seed-0" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2, 3]
    resumed = load_network(tmp_path / "out2" / "seed-0").state_dict()
    assert all(torch.equal(v, whole[k]) for k, v in resumed.items())
    mmsa_train.main(again)
    assert len(saved) == 4


def test_a_folder_of_another_run_is_refused_and_so_is_a_file_that_is_not_there(given, tmp_path, capsys):
    mmsa_train.main([*given, "--seeds", "1"])
    (tmp_path / "c.toml").write_text(CONFIG.replace("epochs = 4", "epochs = 5"))
    for arguments, said in ((given, "is of another run"), ([given[0], "none.pkl"], "none.pkl")):
        with pytest.raises(SystemExit):
            mmsa_train.main(arguments)
        assert said in capsys.readouterr().err


def test_both_directions_of_a_bidirectional_network_are_saved(given, tmp_path):
    (tmp_path / "c.toml").write_text("bidirectional = true\n" + CONFIG.replace("epochs = 4", "epochs = 1"))
    mmsa_train.main([*given, "--seeds", "1"])
    ahead, back = (
        load_network(tmp_path / "out" / "seed-0" / way).state_dict() for way in ("forwards", "backwards")
    )
    assert any(not torch.equal(ahead[k], back[k]) for k in ahead)


def test_a_training_that_diverged_is_no_result(given, tmp_path, capsys):
    (tmp_path / "c.toml").write_text(CONFIG.replace("batch = 8", "batch = 8\nlearning_rate = 1e30"))
    with pytest.raises(SystemExit) as ended:
        mmsa_train.main(given)
    said = str(ended.value.code)  # a text as code is written to stderr, and the status is 1
    assert said.startswith("python -m model.mmsa_train: seed 0 ended in epoch 0")
    assert "lower learning_rate" in said
    assert "\n" not in said
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "all.json").exists()
