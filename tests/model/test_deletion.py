from __future__ import annotations

import shutil

import pytest
import torch

from model import deletion as measured
from model.data.streams import StreamSettings
from model.deletion import GONE, RULES, deletion, ranked, stretches, without
from model.provenance.seen import Seen
from model.provenance.sums import WEIGHTS
from tests.model.evaluation.test_figures import small


def test_stretches_are_those_in_which_something_was_observed():
    presence = torch.zeros(1, 10, 3)
    presence[0, 3, 0] = presence[0, 5:, 2] = 1
    assert stretches(presence).tolist() == [[0, 0], [2, 1]]


def test_the_stretch_that_pulls_most_to_the_scores_side_is_first():
    sources = torch.zeros(3, 10)
    sources[0, :5], sources[0, 5:], sources[2, 5:] = 0.1, -0.3, 0.2
    cells = stretches(torch.ones(1, 10, 3))
    order = ranked(sources, cells, 1.0)
    assert cells[order[:2]].tolist() == [[2, 1], [0, 0]]
    assert cells[ranked(sources, cells, -1.0)[0]].tolist() == [0, 1]


def test_damaged_weights_are_told_in_a_sentence(tmp_path, capsys):
    shutil.copytree(WEIGHTS, tmp_path / "net", ignore=shutil.ignore_patterns("mosi*", "independent"))
    with (tmp_path / "net" / "model.safetensors").open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    with pytest.raises(SystemExit):
        measured.main([str(tmp_path), "--checkpoint", str(tmp_path / "net")])
    assert "model.safetensors has sha256" in capsys.readouterr().err


def test_the_split_of_a_baseline_is_refused_in_a_sentence(tmp_path, capsys):
    small("attention").save_pretrained(tmp_path)
    Seen.nothing().save(tmp_path)
    with pytest.raises(SystemExit):
        measured.main([str(tmp_path), "--checkpoint", str(tmp_path)])
    assert "attention fusion, which has no states to split" in capsys.readouterr().err


def test_masked_stretches_are_as_if_never_observed(network):
    values = {m: torch.randn(1, 70, w) for m, w in network.config.features.items()}
    presence = torch.ones(1, 70, 3)
    cells = stretches(presence)
    found = without(network, (values, presence), cells)
    fewer = presence.clone()
    fewer[:, :60, 0] = 0  # the last count is of twelve stretches, the first twelve of the words
    assert GONE[-1] == 12
    assert found[-1] == pytest.approx(float(network(values, fewer).ticks[0, -1].detach()), abs=1e-6)


def test_every_rule_has_a_curve_and_a_network_that_hardly_moves_is_told(network, pools, monkeypatch):
    monkeypatch.setattr(measured, "SETTINGS", StreamSettings(utterances=(2, 3), ticks=30, everything=1.0))
    monkeypatch.setattr(measured, "LEAST", 0.0)
    found = deletion(network, pools, 2)
    assert set(found) == {*RULES, "random", "absolute score"}
    assert all(len(found[name]) == len(GONE) for name in (*RULES, "random"))
    assert found == deletion(network, pools, 2)
    monkeypatch.setattr(measured, "LEAST", 3.0)
    with pytest.raises(ValueError, match="only 0 have a score"):
        deletion(network, pools, 1)
