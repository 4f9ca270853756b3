from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernels import coupled_scan
from kernels.reference import as_shares
from model.coupled.explain import (
    explain_last_layer,
    mean_gradient,
    reading,
    trace_back,
)
from model.coupled.network import CoupledMamba
from model.fusion.baselines import build_network
from tests.model.conftest import WIDTHS, random_clip, small_config
from tests.model.coupled.test_head import every_kind
from tests.model.coupled.test_network import permute_modalities

COUPLINGS = ["learned", "mean", "sum", "none"]
every_coupling = pytest.mark.parametrize("coupling", COUPLINGS)
every_moment = pytest.mark.parametrize("at", [0, 7, 13, None])


def made(**changes: object) -> CoupledMamba:
    """A network far from its start, in float64, where laws hold to rounding."""
    torch.manual_seed(0)
    network = CoupledMamba(small_config(**changes)).eval()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if not name.endswith("log_a"):
                tensor.add_(0.3 * torch.randn(tensor.shape))
    return network.double()


def clip(length: int = 14, batch: int = 2) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    values, presence = random_clip(length, batch)
    return {m: v.double() for m, v in values.items()}, presence.double()


@every_coupling
@every_moment
@every_kind
def test_the_parts_are_the_networks_score_and_base_is_the_score_with_nothing_read(coupling, at, opinions):
    network, (values, presence) = made(coupling=coupling, opinions=opinions), clip()
    found = explain_last_layer(network, values, presence, at)
    whole = network(values, presence)
    expected = whole.clip if at is None else whole.ticks[:, at]
    torch.testing.assert_close(found.score, expected.detach())
    x, mask = network.encode(values, presence, 1)
    silent = network.head(x + network.layers[-1].out.bias, mask)
    torch.testing.assert_close(found.base, (silent.clip if at is None else silent.ticks[:, at]).detach())
    parts = found.memory.sum((1, 2, 3)) + found.skip.sum(1) + found.base
    torch.testing.assert_close(parts, found.score, rtol=0, atol=2e-5)
    assert (found.score - found.base).abs().min() > 1e-3


def test_the_mean_gradient_accounts_for_the_whole_way():
    end = torch.tensor([[0.5, -2.0, 1.0]]).double()
    found = mean_gradient(lambda p: torch.tanh(p.sum(-1)) + (p**3).sum(-1), end)
    rise = torch.tanh(end.sum(-1)) + (end**3).sum(-1)
    torch.testing.assert_close((found * end).sum(-1), rise)
    linear = torch.tensor([[3.0, -1.0, 2.0]]).double()
    torch.testing.assert_close(mean_gradient(lambda p: (p * linear).sum(-1), end), linear)


@every_coupling
def test_every_contribution_is_what_its_injection_alone_brings(coupling):
    network, (values, presence) = made(coupling=coupling), clip(5)
    x, mask = network.encode(values, presence, 1)
    given = network.layers[-1].selection(x)
    gradient = torch.randn_like(given.u)
    found = trace_back(given, mask, gradient)
    for source in range(3):
        for tick in range(5):
            alone = torch.zeros_like(given.u)
            alone[:, tick, source] = given.u[:, tick, source]
            expected = (gradient * reading(given._replace(u=alone), mask)).sum((1, 3))
            torch.testing.assert_close(found[:, :, source, tick], expected, rtol=0, atol=1e-11)
    assert found.abs().max() > 1e-3


def test_the_reading_is_the_scan_without_skip_and_gate():
    network, (values, presence) = made(), clip(6)
    x, mask = network.encode(values, presence, 1)
    given = network.layers[-1].selection(x)
    rest = {**given._asdict(), "D": torch.zeros_like(given.D), "z": None}
    expected = coupled_scan(**rest, delta_softplus=True, mask=mask)
    torch.testing.assert_close(reading(given, mask), expected)


@torch.no_grad()
def output_shares(
    network: CoupledMamba, values: dict[str, torch.Tensor], presence: torch.Tensor
) -> torch.Tensor:
    """Signed shares of each target chain's own output at the last tick, by source and tick [B, M, M, T]: over the
    ticks they sum to what `kernels.coupled_trace` gives.
    """
    x, mask = network.encode(values, presence, len(network.layers) - 1)
    given = network.layers[-1].selection(x)
    read = reading(given, mask)
    read[:, :-1] = 0
    products = trace_back(given, mask, read)
    return as_shares(products.flatten(2)).view_as(products)


@every_coupling
@pytest.mark.parametrize("at", [0, 9, 13])
def test_shares_of_the_output_summed_over_time_are_the_kernels_shares(coupling, at):
    network, (values, presence) = made(coupling=coupling), clip()
    with torch.no_grad():
        expected = network(values, presence, trace=True).trace[1][:, at]
    shares = output_shares(network, {m: v[:, : at + 1] for m, v in values.items()}, presence[:, : at + 1])
    assert shares.shape == (2, 3, 3, at + 1)
    torch.testing.assert_close(shares.sum(-1), expected, rtol=0, atol=1e-9)
    total = shares.sum((2, 3))
    silent = expected.sum(-1) == 0
    torch.testing.assert_close(total[~silent], torch.ones_like(total[~silent]))
    assert (total[silent] == 0).all()


@every_moment
def test_shares_of_the_score_sum_to_one(at):
    found = explain_last_layer(made(), *clip(), at)
    assert found.shares.shape == (2, 3, 14 if at is None else at + 1)
    torch.testing.assert_close(found.shares.sum((1, 2)), torch.ones(2).double())
    torch.testing.assert_close(found.sources, found.memory.sum(1))


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 20),
    coupling=st.sampled_from(COUPLINGS),
    seed=st.integers(0, 10**6),
    share=st.floats(0, 1),
)
@example(length=7, coupling="learned", seed=234, share=0.125)
def test_conservation_holds_for_any_mask(length, coupling, seed, share):
    network, (values, _) = made(coupling=coupling), clip(length)
    presence = (torch.rand(2, length, 3, generator=torch.Generator().manual_seed(seed)) < share).double()
    found, by_output = (
        explain_last_layer(network, values, presence),
        output_shares(network, values, presence),
    )
    parts = found.memory.sum((1, 2, 3)) + found.skip.sum(1) + found.base
    torch.testing.assert_close(parts, found.score, rtol=0, atol=2e-5)
    assert (found.sources[(presence == 0).transpose(1, 2)] == 0).all()
    total = by_output.sum((2, 3))
    torch.testing.assert_close(total, (total != 0).double())
    score = network(values, presence).clip.detach()
    torch.testing.assert_close(found.score, score)


def test_what_was_not_observed_is_given_nothing():
    network, (values, presence) = made(), clip()
    found = explain_last_layer(network, values, presence, 13)
    absent = (presence == 0).transpose(1, 2)
    assert (found.sources[absent] == 0).all()
    assert (found.sources[~absent] != 0).all()


def test_uncoupled_chains_owe_nothing_to_each_other():
    memory = explain_last_layer(made(coupling="none"), *clip(), 13).memory
    across = ~torch.eye(3, dtype=torch.bool)
    assert (memory[:, across] == 0).all()
    assert (explain_last_layer(made(), *clip(), 13).memory[:, across] != 0).any()


def test_later_ticks_do_not_count_and_negative_ones_count_from_the_end():
    network, (values, presence) = made(), clip()
    short = explain_last_layer(network, {m: v[:, :8] for m, v in values.items()}, presence[:, :8], -1)
    long = explain_last_layer(network, values, presence, 7)
    torch.testing.assert_close(short.memory, long.memory)
    torch.testing.assert_close(short.skip, long.skip)


@pytest.mark.parametrize("at", [13, None])
def test_permuting_the_modalities_permutes_the_explanation(at):
    network, (values, presence) = made(), clip()
    order, names, widths = [2, 0, 1], list(WIDTHS), list(WIDTHS.values())
    config = small_config(modalities=[names[i] for i in order], widths=[widths[i] for i in order])
    other = CoupledMamba(config).eval().double()
    state = {k: permute_modalities(k, v, order) for k, v in network.state_dict().items()}
    other.load_state_dict(state)
    found, permuted = (
        explain_last_layer(network, values, presence, at),
        explain_last_layer(other, values, presence[..., order], at),
    )
    torch.testing.assert_close(found.memory[:, order][:, :, order], permuted.memory)
    torch.testing.assert_close(found.skip[:, order], permuted.skip)
    torch.testing.assert_close(found.base, permuted.base)


def test_float32_agrees_with_float64_over_a_long_clip():
    network, (values, presence) = made(d_state=64), clip(200, 1)
    exact = explain_last_layer(network, values, presence, 199)
    near = explain_last_layer(
        network.float(), {m: v.float() for m, v in values.items()}, presence.float(), 199
    )
    scale = exact.memory.abs().sum()
    assert (near.memory - exact.memory).abs().sum() < 1e-4 * scale


def test_a_clip_is_explained_the_same_in_a_batch_and_alone():
    network, (values, presence) = made(), clip()
    together = explain_last_layer(network, values, presence, 10).memory
    for i in range(2):
        alone = explain_last_layer(
            network, {m: v[i : i + 1] for m, v in values.items()}, presence[i : i + 1], 10
        )
        torch.testing.assert_close(together[i : i + 1], alone.memory)


def test_wrong_use_is_told_with_its_remedy():
    network, (values, presence) = made(), clip(5)
    with pytest.raises(IndexError, match="tick 5 is outside of the clip's 5"):
        explain_last_layer(network, values, presence, 5)
    with pytest.raises(ValueError, match=r"eval\(\)"):
        explain_last_layer(made().train(), values, presence, 0)
    with pytest.raises(ValueError, match="attention"):
        explain_last_layer(build_network(small_config(fusion="attention")).eval(), values, presence, 0)
