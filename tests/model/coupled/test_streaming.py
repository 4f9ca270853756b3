from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.coupled.streaming import Stream
from model.coupled.stretches import run_stretches
from model.fusion.baselines import build_network
from tests.model.conftest import made, random_clip, small_config
from tests.model.coupled.test_head import every_kind

COUPLINGS = ["learned", "mean", "sum", "none"]


def fed(stream: Stream, values, presence) -> tuple[torch.Tensor, torch.Tensor]:
    said = [
        stream.feed({m: v[..., t, :] for m, v in values.items()}, presence[..., t, :])
        for t in range(presence.shape[-2])
    ]
    return torch.stack([s.score for s in said], -1), torch.stack([s.scale for s in said], -1)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seen", ["all", "some", "late", "one never"])
@every_kind
def test_tick_by_tick_is_the_whole_pass(coupling, batch, seen, opinions):
    network = made(coupling=coupling, opinions=opinions)
    values, presence = random_clip(40, batch)
    if seen == "all":
        presence[:] = 1
    elif seen == "late":
        presence[:, :15] = 0
    elif seen == "one never":
        presence[..., 1] = 0
    with torch.no_grad():
        whole = network(values, presence)
    stream = network.stream(batch)
    ticks, scales = fed(stream, values, presence)
    torch.testing.assert_close(ticks, whole.ticks, rtol=0, atol=1e-4)
    torch.testing.assert_close(scales, whole.tick_scale, rtol=0, atol=1e-4)
    torch.testing.assert_close(stream.clip().score, whole.clip, rtol=0, atol=1e-4)
    torch.testing.assert_close(stream.clip().scale, whole.clip_scale, rtol=0, atol=1e-4)


def test_the_clip_so_far_is_the_pass_over_what_was_fed():
    network, (values, presence) = made(), random_clip(20)
    stream = network.stream(2)
    fed(stream, {m: v[:, :12] for m, v in values.items()}, presence[:, :12])
    with torch.no_grad():
        part = network({m: v[:, :12] for m, v in values.items()}, presence[:, :12])
        whole = network(values, presence)
    torch.testing.assert_close(stream.clip().score, part.clip, rtol=0, atol=1e-4)
    assert (part.clip - whole.clip).abs().max() > 1e-3


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 30),
    coupling=st.sampled_from(COUPLINGS),
    seed=st.integers(0, 10**6),
    share=st.floats(0, 1),
)
def test_any_mask_streams_as_it_runs_whole(length, coupling, seed, share):
    network, (values, _) = made(coupling=coupling), random_clip(length, 2, seed)
    presence = (torch.rand(2, length, 3, generator=torch.Generator().manual_seed(seed)) < share).float()
    with torch.no_grad():
        whole = network(values, presence)
    stream = network.stream(2)
    torch.testing.assert_close(fed(stream, values, presence)[0], whole.ticks, rtol=0, atol=1e-4)
    # Where nothing was heard the pooling is over ticks that do not count, and the score is the prior's.
    torch.testing.assert_close(stream.clip().score, whole.clip, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sizes", [{"d_conv": 1}, {"layers": 1}, {"d_state": 1}])
def test_other_sizes_stream_too(sizes):
    network, (values, presence) = made(**sizes), random_clip(15)
    with torch.no_grad():
        whole = network(values, presence)
    torch.testing.assert_close(fed(network.stream(2), values, presence)[0], whole.ticks, rtol=0, atol=1e-4)


def test_one_stream_needs_no_batch_axis():
    network, (values, presence) = made(), random_clip(9, batch=1)
    ticks, _ = fed(network.stream(), {m: v[0] for m, v in values.items()}, presence[0])
    assert ticks.shape == (9,)
    torch.testing.assert_close(ticks, network(values, presence).ticks[0], rtol=0, atol=1e-4)


def test_independent_mambas_stream_as_well():
    torch.manual_seed(0)
    network, (values, presence) = build_network(small_config(fusion="independent")).eval(), random_clip(9)
    ticks, _ = fed(network.stream(2), values, presence)
    torch.testing.assert_close(ticks, network(values, presence).ticks, rtol=0, atol=1e-4)


def test_the_clip_so_far_goes_on_moving_in_bfloat16():
    """A total kept in bfloat16 stands still at 256: what came later would not count."""
    network, (values, presence) = made(), random_clip(900, 1)
    presence[:] = 1
    values = {m: v / 4 + torch.linspace(-2, 2, 900)[:, None] for m, v in values.items()}
    with torch.no_grad():
        early = network({m: v[:, :400] for m, v in values.items()}, presence[:, :400]).clip
        whole = network(values, presence).clip
    assert (early - whole).abs() > 0.2
    network, values = network.bfloat16(), {m: v.bfloat16() for m, v in values.items()}
    stream = network.stream(1)
    fed(stream, values, presence)
    assert stream.clip().score.dtype == torch.bfloat16
    found = run_stretches(network, values, presence, length=1)
    for clip in (stream.clip().score, found.clip):
        torch.testing.assert_close(clip.float(), whole, rtol=0, atol=0.05)


def test_the_clip_of_a_float64_stream_is_summed_in_float64():
    network, (values, presence) = made().double(), random_clip(40)
    values = {m: v.double() for m, v in values.items()}
    stream = network.stream(2)
    fed(stream, values, presence)
    torch.testing.assert_close(
        stream.clip().score, network(values, presence).clip.detach(), rtol=0, atol=1e-9
    )


def test_memory_does_not_grow():
    stream, (values, presence) = made().stream(2), random_clip(60)
    sizes = []
    for part in (slice(0, 5), slice(5, 60)):
        fed(stream, {m: v[:, part] for m, v in values.items()}, presence[:, part])
        sizes.append(kept_bytes(stream))
    assert sizes[0] == sizes[1] > 0


def kept_bytes(stream: Stream) -> int:
    kept = [t for memory in stream.memories for t in memory]
    held = [*vars(stream).values(), *vars(stream.pooling).values()]
    kept += [value for value in held if isinstance(value, torch.Tensor)]
    assert all(t.grad_fn is None for t in kept)
    return sum(t.untyped_storage().nbytes() for t in kept)


def test_two_streams_of_one_network_do_not_mix():
    network, (values, presence) = made(), random_clip(10)
    first, second = network.stream(2), network.stream(2)
    for t in range(10):
        tick = {m: v[:, t] for m, v in values.items()}
        one = first.feed(tick, presence[:, t])
        second.feed({m: -v for m, v in tick.items()}, presence[:, t])
    torch.testing.assert_close(one.score, network(values, presence).ticks[:, -1], rtol=0, atol=1e-4)


def test_wrong_use_is_told_with_its_remedy():
    network, (values, presence) = made(), random_clip(3)
    tick = {m: v[0, 0] for m, v in values.items()}
    with pytest.raises(ValueError, match="at least one tick"):
        network.stream().clip()
    with pytest.raises(ValueError, match="lacks 'visual'"):
        network.stream().feed({m: tick[m] for m in ("text", "audio")}, presence[0, 0])
    with pytest.raises(ValueError, match=r"'text'.*\(6,\), got \(5,\)"):
        network.stream().feed({**tick, "text": tick["audio"]}, presence[0, 0])
    with pytest.raises(ValueError, match="presence"):
        network.stream().feed(tick, presence[0, :2])
    with pytest.raises(ValueError, match=r"eval\(\)"):
        made().train().stream()
    stream = network.stream()
    network.train()
    with pytest.raises(ValueError, match=r"eval\(\)"):
        stream.feed(tick, presence[0, 0])
    with pytest.raises(ValueError, match="attention"):
        build_network(small_config(fusion="attention")).eval().stream()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda v, p: (v, dict(zip(v, p, strict=True))),
            r"presence as one tensor \[M\], got dict: stack the modalities in the order of config.modalities$",
        ),
        (lambda v, p: (v, p.numpy()), r"presence as one tensor \[M\], got ndarray: stack"),
        (lambda v, p: (list(v.values()), p), r"values by name, one tensor \[width\] a modality, got list"),
        (lambda v, p: ({**v, "audio": v["audio"].numpy()}, p), r"\['audio'\] as a tensor, got ndarray: use"),
        (lambda v, p: ({**v, "audio": v["audio"].double()}, p), r"\['audio'\] are torch.float64 but"),
    ],
)
def test_a_tick_of_another_kind_is_told_with_the_kind_seen(spoil, said):
    values, presence = random_clip(1, 1)
    with pytest.raises(TypeError, match=said):
        made().stream().feed(*spoil({m: v[0, 0] for m, v in values.items()}, presence[0, 0]))


def test_a_tick_of_another_batch_is_told_with_the_batch_expected():
    values, presence = random_clip(1, 2)
    with pytest.raises(ValueError, match=r"presence \[B, M\] of shape \(3, 3\) for .*, got \(2, 3\)"):
        made().stream(3).feed({m: v[:, 0] for m, v in values.items()}, presence[:, 0])


def test_what_a_network_does_not_know_is_not_looked_at_in_a_tick():
    network, (values, presence) = made(), random_clip(1, 1)
    tick = {m: v[0, 0] for m, v in values.items()}
    plain, more = (network.stream().feed(given, presence[0, 0]) for given in (tick, {**tick, "at": 0.2}))
    assert plain == more


@pytest.mark.parametrize("batch", [0, -2])
def test_a_batch_of_no_streams_is_refused(batch):
    with pytest.raises(ValueError, match=f"batch must be at least 1, got {batch}: leave it out"):
        made().stream(batch)
