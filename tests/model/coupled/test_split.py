"""What a score is made of through all layers: conservation, causality, and the network it is the split of."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.coupled.explain import trace_back
from model.coupled.network import CoupledMamba
from model.coupled.realised import Realised
from model.coupled.split import split_lines, split_score, split_scores
from model.coupled.stretches import carry
from model.fusion.baselines import build_network
from tests.model.conftest import WIDTHS, random_clip, small_config
from tests.model.coupled.test_explain import COUPLINGS, clip, every_coupling, every_moment, made
from tests.model.coupled.test_head import every_kind
from tests.model.coupled.test_network import permute_modalities


@every_coupling
@every_moment
@every_kind
def test_the_sources_and_the_constant_are_the_networks_score(coupling, at, opinions):
    network, (values, presence) = made(coupling=coupling, opinions=opinions), clip()
    found = split_score(network, values, presence, at)
    whole = network(values, presence)
    expected = whole.clip if at is None else whole.ticks[:, at]
    torch.testing.assert_close(found.score, expected.detach(), rtol=0, atol=1e-9)
    total = found.constant + found.sources.sum((1, 2))
    torch.testing.assert_close(total, found.score, rtol=0, atol=1e-9)
    assert found.sources.shape == (2, 3, 14 if at is None else at + 1)
    assert found.sources.abs().max() > 1e-3
    torch.testing.assert_close(found.shares.sum((1, 2)), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(network.explain(values, presence, at).sources, found.sources)


@settings(max_examples=8, deadline=None)
@given(
    length=st.integers(1, 20),
    coupling=st.sampled_from(COUPLINGS),
    seed=st.integers(0, 10**6),
    share=st.floats(0, 1),
)
def test_conservation_holds_for_any_mask_and_the_unobserved_brings_nothing(length, coupling, seed, share):
    network, (values, _) = made(coupling=coupling), clip(length)
    presence = (torch.rand(2, length, 3, generator=torch.Generator().manual_seed(seed)) < share).double()
    lines = split_lines(network, values, presence)
    whole = network(values, presence)
    torch.testing.assert_close(lines.constant + lines.parts.sum(1), whole.ticks.detach(), rtol=0, atol=1e-9)
    torch.testing.assert_close(
        lines.clip_constant + lines.clip_parts.sum(1), whole.clip.detach(), rtol=0, atol=1e-9
    )
    found = split_score(network, values, presence)
    assert (found.sources[(presence == 0).mT] == 0).all()
    torch.testing.assert_close(found.constant + found.sources.sum((1, 2)), found.score, rtol=0, atol=1e-9)


def test_in_float32_a_long_clip_sums_to_its_score_and_agrees_with_float64():
    network, (values, presence) = made(d_state=64), clip(80, 1)
    exact = split_score(network, values, presence, 79)
    single = network.float(), {m: v.float() for m, v in values.items()}, presence.float()
    near = split_score(*single, 79)
    torch.testing.assert_close(near.constant + near.sources.sum((1, 2)), near.score, rtol=0, atol=1e-4)
    assert (near.sources - exact.sources).abs().sum() < 1e-4 * exact.sources.abs().sum()


@every_kind
def test_opinions_of_zero_are_split_as_those_beside_it(opinions):
    """At 0 the bend's share of an opinion is no quotient any more but its limit, 1, and sources cancel to nothing."""
    network, (values, presence) = made(opinions=opinions), clip(6, 1)
    said = []
    network.head.clip.register_forward_hook(lambda module, given, found: said.append(found[0]))
    network(values, presence)
    found = []
    for score in (0.0, 0.01):
        with torch.no_grad():
            network.head.clip.tell.bias[:, 0] += score - said[-1][0]
        found.append(split_score(network, values, presence))
        network(values, presence)
    assert found[0].score.abs().max() < 1e-9
    assert found[0].sources.abs().max() > 1e-3
    torch.testing.assert_close(found[0].sources, found[1].sources, rtol=1e-4, atol=0)


def test_later_ticks_bring_nothing_and_change_nothing():
    network, (values, presence) = made(), clip()
    realised = Realised(network, values, presence)
    tokens = x = realised.x.detach().requires_grad_()
    for held in realised.advance():
        with torch.enable_grad():
            x = held(x)
    (gradient,) = torch.autograd.grad(realised.head()[0](x)[:, 7].sum(), tokens)
    assert (gradient[:, 8:] == 0).all()
    assert (gradient[:, :8] != 0).any()
    short = split_score(network, {m: v[:, :8] for m, v in values.items()}, presence[:, :8], -1)
    long = split_score(network, values, presence, 7)
    for one, other in ((short.sources, long.sources), (short.constant, long.constant)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_several_moments_at_once_are_each_moment_alone_and_add_up_to_the_lines():
    network, (values, presence) = made(), clip()
    lines = split_lines(network, values, presence)
    for at, found in zip((3, -1, None), split_scores(network, values, presence, [3, -1, None]), strict=True):
        alone = split_score(network, values, presence, at)
        for name in ("score", "sources", "constant"):
            torch.testing.assert_close(getattr(found, name), getattr(alone, name), rtol=0, atol=1e-12)
        parts = lines.clip_parts if at is None else lines.parts[..., at]
        torch.testing.assert_close(found.sources.sum(-1), parts, rtol=0, atol=1e-9)
        constant = lines.clip_constant if at is None else lines.constant[:, at]
        torch.testing.assert_close(found.constant, constant, rtol=0, atol=1e-9)


def test_of_no_moments_there_are_no_splits():
    network, (values, presence) = made(), clip(5)
    assert split_scores(network, values, presence, []) == []


def test_a_source_is_what_its_token_alone_adds_to_the_held_network():
    network, (values, presence) = made(), clip(5)
    found = split_score(network, values, presence)
    for source, tick in ((0, 0), (1, 2), (2, 4)):
        realised = Realised(network, values, presence)
        fewer = realised.x.clone()
        fewer[:, tick, source] = realised.nothing[:, tick, source]
        for held in realised.advance():
            fewer = held(fewer)
        missing = found.score - realised.head()[1](fewer)
        torch.testing.assert_close(found.sources[:, source, tick], missing, rtol=0, atol=1e-11)


def test_in_one_layer_it_is_the_split_of_that_layer_and_what_passes_it_by():
    """Without biases and with a convolution of one tick, a tick's injection is that tick's token and no other's."""
    network, (values, presence) = made(layers=1, d_conv=1), clip()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name.endswith(".bias") or name == "embed.absent":
                tensor.zero_()
    found = split_score(network, values, presence, 13)
    x, mask = network.encode(values, presence, 0)
    layer = network.layers[0]
    given = layer.selection(x)
    realised = Realised(network, values, presence)
    for _ in realised.advance():
        pass
    out = realised.x.detach().requires_grad_()
    with torch.enable_grad():
        score = realised.head()[0](out)[:, 13]
    (gradient,) = torch.autograd.grad(score.sum(), out)
    with torch.no_grad():
        gate = torch.nn.functional.silu(given.z)
        read = gate * torch.einsum("blmd,mde->blme", gradient, layer.out.weight)
        passing = (gradient * x).sum(-1) + (read * given.D * given.u).sum(-1)
        expected = trace_back(given, mask, read).sum(1) + passing.mT
    torch.testing.assert_close(found.sources, torch.where(mask.mT, expected, 0), rtol=0, atol=1e-9)
    assert found.sources.abs().max() > 1e-3


def test_uncoupled_chains_bring_in_what_each_says_alone():
    network, (values, presence) = made(coupling="none"), clip()
    other = {**values, "audio": values["audio"] + 1}
    first, second = (split_lines(network, v, presence) for v in (values, other))
    raw = [lines.parts / lines.parts.sum(1, keepdim=True) for lines in (first, second)]
    assert (raw[0] - raw[1]).abs().max() > 1e-3
    # The words' own reading is what it was; only its weight against the others' can have changed.
    ratio = second.parts[:, 0] / first.parts[:, 0]
    visual = second.parts[:, 2] / first.parts[:, 2]
    seen = (presence[..., 0].cumsum(1) > 0) & (presence[..., 2].cumsum(1) > 0)
    torch.testing.assert_close(ratio[seen], visual[seen], rtol=1e-6, atol=0)


def test_permuting_the_modalities_permutes_the_split():
    network, (values, presence) = made(), clip()
    order, names, widths = [2, 0, 1], list(WIDTHS), list(WIDTHS.values())
    config = small_config(modalities=[names[i] for i in order], widths=[widths[i] for i in order])
    other = CoupledMamba(config).eval().double()
    other.load_state_dict({k: permute_modalities(k, v, order) for k, v in network.state_dict().items()})
    found, permuted = (
        split_score(network, values, presence, 13),
        split_score(other, values, presence[..., order], 13),
    )
    torch.testing.assert_close(found.sources[:, order], permuted.sources)
    torch.testing.assert_close(found.constant, permuted.constant)


def test_a_clip_is_split_the_same_in_a_batch_and_alone():
    network, (values, presence) = made(), clip()
    together = split_score(network, values, presence, 10)
    for i in range(2):
        alone = split_score(network, {m: v[i : i + 1] for m, v in values.items()}, presence[i : i + 1], 10)
        torch.testing.assert_close(together.sources[i : i + 1], alone.sources, rtol=0, atol=1e-10)


def test_wrong_use_is_told_with_its_remedy():
    network, (values, presence) = made(), clip(5)
    with pytest.raises(IndexError, match="tick 5 is outside of the clip's 5"):
        split_scores(network, values, presence, [0, 5])
    with pytest.raises(ValueError, match="a window has no clip's score: give the tick"):
        split_scores(network, values, presence, [4, None], carry(network, values, presence))
    with pytest.raises(ValueError, match=r"eval\(\)"):
        split_score(made().train(), values, presence, 0)
    with pytest.raises(ValueError, match="attention"):
        split_lines(build_network(small_config(fusion="attention")).eval(), *random_clip(5))
