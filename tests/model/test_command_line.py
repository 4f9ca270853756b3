"""What commands refuse in a sentence before any work: configs and checkpoints that are none, or another command's."""

from __future__ import annotations

import pytest

from model import compare, deletion, evaluate, mmsa_train, mosi, protocols, train
from model.command_line import CONFIGS
from model.provenance.seen import Seen
from tests.model import mosi_files


@pytest.mark.parametrize(
    ("command", "options", "key"),
    [
        (compare, "DATA mosi.toml", "modalities"),
        (train, "mmsa_mosi.toml --data DATA", "corpus"),
        (mosi, "DATA --config streams.toml", "seed"),
        (mmsa_train, "mosi.toml DATA", "modalities"),
        (protocols, "ablate layers streams.toml DATA", "seed"),
    ],
)
def test_another_commands_config_is_refused_in_a_sentence(
    tmp_path, monkeypatch, capsys, command, options, key
):
    monkeypatch.chdir(tmp_path)
    mosi_files.write(tmp_path)
    given = [
        str(CONFIGS / o) if o.endswith(".toml") else o.replace("DATA", str(tmp_path)) for o in options.split()
    ]
    with pytest.raises(SystemExit):
        command.main(given)
    assert f"it has the key '{key}', which this command does not know" in capsys.readouterr().err


TYPO = ("[network]\nd_modle = 12\n", "it has the key 'd_modle', which this command does not know")
UNKNOWN = ('[network]\ncoupling = "lerned"\n', "unknown coupling 'lerned'")
NOWHERE = ('start = "no/such/folder"\n', "'no/such/folder', which holds no model.safetensors")


@pytest.mark.parametrize(
    ("command", "options", "wrong"),
    [
        (train, "CONFIG --data DATA", TYPO),
        (train, "CONFIG --data DATA", UNKNOWN),
        (train, "CONFIG --data DATA", NOWHERE),
        (mosi, "DATA --config CONFIG", TYPO),
        (mmsa_train, "CONFIG DATA", UNKNOWN),
    ],
)
def test_a_network_that_cannot_be_made_is_told_before_any_work(tmp_path, capsys, command, options, wrong):
    content, said = wrong
    config = tmp_path / "c.toml"
    config.write_text(content)
    mosi_files.write(tmp_path)
    with pytest.raises(SystemExit):
        command.main(options.replace("CONFIG", str(config)).replace("DATA", str(tmp_path)).split())
    assert said in capsys.readouterr().err


def test_a_config_that_is_not_there_or_is_no_toml_is_refused_in_a_sentence(tmp_path, capsys):
    for content, said in ((None, "there is no config"), ("epochs", "is no config of python -m model.train")):
        if content:
            (tmp_path / "c.toml").write_text(content)
        with pytest.raises(SystemExit):
            train.main([str(tmp_path / "c.toml"), "--data", str(tmp_path)])
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [evaluate, deletion])
def test_a_checkpoint_that_is_not_there_is_told_in_a_sentence(tmp_path, capsys, command):
    for missing in ("seen.npz", "config.json"):
        with pytest.raises(SystemExit):
            command.main([str(tmp_path), "--checkpoint", str(tmp_path)])
        assert missing in capsys.readouterr().err
        Seen.nothing().save(tmp_path)
