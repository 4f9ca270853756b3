from __future__ import annotations

import pytest
import torch

from model.coupled.layers import CausalConv, CoupledLayer, Coupling, ModalityLinear, initial_delta_bias
from tests.model.conftest import small_config


def test_modality_linear_is_one_linear_map_a_modality():
    torch.manual_seed(0)
    layer = ModalityLinear(3, 5, 7)
    x = torch.randn(2, 4, 3, 5)
    for m in range(3):
        expected = torch.nn.functional.linear(x[:, :, m], layer.weight[m], layer.bias[m])
        torch.testing.assert_close(layer(x)[:, :, m], expected)


def test_conv_sees_no_later_tick():
    torch.manual_seed(0)
    conv, x = CausalConv(2, 3, 4), torch.randn(1, 9, 2, 3)
    changed = x.clone()
    changed[:, 6:] += 1
    torch.testing.assert_close(conv(x)[:, :6], conv(changed)[:, :6])
    assert not torch.allclose(conv(x)[:, 6], conv(changed)[:, 6])


@pytest.mark.parametrize("kind", ["learned", "mean", "none"])
def test_rows_of_the_stable_couplings_lie_on_the_simplex(kind):
    w = Coupling(3, kind, 0.8)()
    assert (w >= 0).all()
    torch.testing.assert_close(w.sum(-1), torch.ones(3))


def test_a_learned_coupling_starts_self_heavy():
    torch.testing.assert_close(Coupling(3, "learned", 0.8)().diagonal(), torch.full((3,), 0.8))


def test_the_literal_sum_is_all_ones():
    assert Coupling(4, "sum", 0.8)().tolist() == [[1.0] * 4] * 4


def test_delta_starts_between_a_thousandth_and_a_tenth():
    delta = torch.nn.functional.softplus(initial_delta_bias(3, 64))
    assert delta.min() > 0.99e-3
    assert delta.max() < 1.01e-1


def test_states_start_at_mambas_rates_the_first_n_integers():
    layer = CoupledLayer(small_config(d_state=4))
    rates = layer.selection(torch.randn(1, 2, 3, 16)).A
    torch.testing.assert_close(rates, -torch.arange(1.0, 5).expand_as(rates))


def test_uncoupled_chains_do_not_hear_each_other():
    torch.manual_seed(0)
    layer = CoupledLayer(small_config(coupling="none")).eval()
    x, mask = torch.randn(2, 12, 3, 16), torch.ones(2, 12, 3, dtype=torch.bool)
    changed = x.clone()
    changed[:, :, 1] = torch.randn(2, 12, 16)
    before, after = layer(x, mask)[0], layer(changed, mask)[0]
    torch.testing.assert_close(before[:, :, [0, 2]], after[:, :, [0, 2]])
    assert not torch.allclose(before[:, :, 1], after[:, :, 1])


@pytest.mark.parametrize("kind", ["learned", "mean", "sum"])
def test_coupled_chains_hear_each_other(kind):
    torch.manual_seed(0)
    layer = CoupledLayer(small_config(coupling=kind)).eval()
    x, mask = torch.randn(2, 12, 3, 16), torch.ones(2, 12, 3, dtype=torch.bool)
    changed = x.clone()
    changed[:, 0, 1] = torch.randn(2, 16)
    before, after = layer(x, mask)[0], layer(changed, mask)[0]
    assert not torch.allclose(before[:, 1:, 0], after[:, 1:, 0])


def test_trace_leaves_the_output_as_it_is_and_its_shares_sum_to_one():
    torch.manual_seed(0)
    layer = CoupledLayer(small_config()).eval()
    x, mask = torch.randn(2, 12, 3, 16), torch.ones(2, 12, 3, dtype=torch.bool)
    plain, traced = layer(x, mask), layer(x, mask, trace=True)
    torch.testing.assert_close(plain[0], traced[0], rtol=1e-4, atol=1e-5)
    norms, shares = traced[1]
    assert (norms > 0).all()
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 12, 3), rtol=0, atol=1e-4)
