from __future__ import annotations

import math

import pytest
import torch

from model.coupled import timescales
from model.coupled.layers import Selection
from model.coupled.network import CoupledMamba
from model.coupled.timescales import HalfLives, couplings, half_lives, weighted_median
from tests.model.conftest import random_clip, small_config


def constant(
    rates: list[list[float]], coupling: torch.Tensor, length: int = 6
) -> tuple[Selection, torch.Tensor]:
    """One channel a chain, a = the rates given, delta 1 at every tick, and one injection."""
    a = torch.tensor(rates)[:, None]
    chains, _, states = a.shape
    delta = torch.ones(1, length, chains, 1)
    ones = torch.ones(1, length, chains, states)
    given = Selection(
        delta, delta, -a, ones, ones, coupling, torch.ones(chains, 1), delta, torch.zeros(chains, 1)
    )
    return given, delta


def _of_layer(given: Selection, delta: torch.Tensor, step: float) -> HalfLives:
    means = (total / delta.shape[1] for total in timescales._sums(given, delta))
    return timescales._of_layer(given, timescales._Sums(*means), step)


def test_stretches_remember_as_the_whole_does(network: CoupledMamba, monkeypatch: pytest.MonkeyPatch):
    values, presence = random_clip(40)
    whole = half_lives(network, values, presence)
    reader = timescales.read_stretches
    monkeypatch.setattr(timescales, "read_stretches", lambda *given: reader(*given, length=9))
    for one, other in zip(half_lives(network, values, presence), whole, strict=True):
        for name in ("median", "weighted", "coupled"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-6)


def test_a_constant_rate_has_its_half_life_in_seconds():
    given, delta = constant([[0.1, 0.2, 0.4], [0.5, 0.5, 0.5]], torch.eye(2))
    found = _of_layer(given, delta, step=0.2)
    expected = torch.tensor([[math.log(2) / 0.2, math.log(2) / 0.5]]) * 0.2
    torch.testing.assert_close(found.median, expected)


def test_states_weigh_by_the_area_of_their_response():
    given, delta = constant([[0.1, 1.0, 1.0, 1.0]], torch.eye(1))
    found = _of_layer(given, delta, step=1.0)
    assert found.median.item() == pytest.approx(math.log(2))
    assert found.weighted.item() == pytest.approx(math.log(2) / 0.1)


@pytest.mark.parametrize("coupling", [torch.full((2, 2), 0.5), torch.tensor([[0.9, 0.1], [0.3, 0.7]])])
def test_equal_chains_under_any_row_stochastic_coupling_decay_as_one_alone(coupling):
    given, delta = constant([[0.2], [0.2]], coupling)
    assert _of_layer(given, delta, 1.0).coupled.item() == pytest.approx(math.log(2) / 0.2)


def test_a_fast_partner_shortens_the_coupled_memory_and_a_measured_decay_confirms_it():
    coupling = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    given, delta = constant([[0.05], [1.0]], coupling)
    found = _of_layer(given, delta, 1.0).coupled.item()
    step = torch.tensor([0.05, 1.0]).neg().exp()[:, None].double() * coupling.double()
    late = torch.linalg.matrix_power(step, 50) @ torch.ones(2).double()
    later = step @ late
    assert found == pytest.approx(math.log(2) / -math.log(later[0] / late[0]), rel=1e-6)
    assert found < math.log(2) / 0.05


def test_the_coupled_median_is_over_what_the_states_hold():
    """Of the four states of one chain alone the slowest holds more than the other three: 1 / 0.1 against 3."""
    given, delta = constant([[0.1, 1.0, 1.0, 1.0]], torch.eye(1))
    assert _of_layer(given, delta, 1.0).coupled.item() == pytest.approx(math.log(2) / 0.1)


def test_under_the_literal_sum_states_grow_and_nothing_is_forgotten():
    given, delta = constant([[0.1], [0.1]], torch.ones(2, 2))
    assert _of_layer(given, delta, 1.0).coupled.item() == math.inf


def test_absent_ticks_forget_nothing():
    given, delta = constant([[0.4], [0.4]], torch.eye(2), length=8)
    delta = delta.clone()
    delta[:, 4:, 0] = 0
    found = _of_layer(given, delta, 1.0).median[0]
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0]) * math.log(2) / 0.4)


def test_a_network_gives_one_set_a_layer_and_inf_where_nothing_was_observed():
    torch.manual_seed(0)
    network, (values, presence) = CoupledMamba(small_config()).eval(), random_clip(12)
    presence[..., 1] = 0
    for found in half_lives(network, values, presence):
        assert found.median.shape == found.weighted.shape == (2, 3)
        assert (found.median[:, 1] == math.inf).all()
        assert (found.weighted[:, 1] == math.inf).all()
        assert torch.isfinite(found.median[:, [0, 2]]).all()
        assert (found.coupled > 0).all()


def test_half_lives_are_seconds_of_the_configs_step():
    values, presence = random_clip(12)
    found = []
    for step in (0.2, 0.4):
        torch.manual_seed(0)
        found.append(half_lives(CoupledMamba(small_config(step=step)).eval(), values, presence)[0].weighted)
    torch.testing.assert_close(2 * found[0], found[1])


def test_the_couplings_of_all_layers_are_told_target_by_source():
    network = CoupledMamba(small_config())
    with torch.no_grad():
        network.layers[1].coupling.logits[0, 2] += 3
    w = couplings(network)
    assert w.shape == (2, 3, 3)
    torch.testing.assert_close(w.sum(-1), torch.ones(2, 3))
    assert w[1, 0, 2] > w[1, 2, 0]


def test_weighted_median_is_where_half_of_the_weight_is_reached():
    values, weights = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 5.0, 1.0])
    assert weighted_median(values, weights).item() == 1
    assert weighted_median(values, torch.ones(3)).item() == 2
    assert weighted_median(values, torch.zeros(3)).item() == 3
