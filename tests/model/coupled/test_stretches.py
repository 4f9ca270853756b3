from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.coupled.stretches import carry, run_stretches
from model.coupled.timescales import half_lives
from model.fusion.baselines import build_network
from model.inference.prediction import predict
from tests.model.conftest import made, random_clip, small_config


def assert_same(network, values, presence, length: int) -> None:
    with torch.no_grad():
        whole = network(values, presence, trace=True)
    parts = run_stretches(network, values, presence, True, length=length)
    for name in ("ticks", "clip", "tick_scale", "clip_scale"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=1e-5, atol=1e-5)
    norms, shares = zip(parts.trace, whole.trace, strict=True)
    torch.testing.assert_close(*norms, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(*shares, rtol=0, atol=1e-5)


@pytest.mark.parametrize("coupling", ["learned", "mean", "none"])
@pytest.mark.parametrize("length", [1, 7, 40, 100])
def test_stretches_give_what_the_whole_pass_gives(coupling, length):
    assert_same(made(coupling=coupling), *random_clip(40), length)


@pytest.mark.parametrize("unseen", [slice(0, 25), slice(10, 40), slice(0, 40)])
def test_also_where_a_modality_comes_late_goes_early_or_never_was(unseen):
    values, presence = random_clip(40)
    presence[:, unseen, 1] = 0
    assert_same(made(), values, presence, 8)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 10**6), st.sampled_from([1, 4]))
def test_any_length_in_any_stretches(ticks, length, seed, d_conv):
    assert_same(made(d_conv=d_conv), *random_clip(ticks, 1, seed), length)


def test_a_long_clip_is_predicted_in_stretches_as_it_is_whole(monkeypatch):
    network, (values, presence) = made(), random_clip(60, 1)
    given = (
        {m: v[0].numpy() for m, v in values.items()},
        dict(zip(values, presence[0].T.numpy(), strict=True)),
    )
    whole, dynamics = predict(network, *given)
    monkeypatch.setattr("model.inference.prediction.STRETCH", 11)
    told: list[float] = []
    parts, moved = predict(network, *given, told=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) == 4 * 6  # everything, then each modality alone
    assert parts.clip == pytest.approx(whole.clip, abs=1e-5)
    for m, alone in whole.alone.items():
        assert parts.alone[m].score == pytest.approx(alone.score, abs=1e-5)
        assert parts.alone[m].ticks == pytest.approx(alone.ticks, abs=1e-5)
        assert moved.state_norm[m] == pytest.approx(dynamics.state_norm[m], rel=1e-5)
        for source in whole.alone:
            assert moved.share[m][source] == pytest.approx(dynamics.share[m][source], abs=1e-5)


def test_a_reader_that_is_told_to_stop_stops_at_the_next_stretch():
    seen: list[float] = []

    def refuse(fraction: float) -> None:
        seen.append(fraction)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_stretches(made(), *random_clip(40), told=refuse, length=10)
    assert seen == [0.25]


@pytest.mark.parametrize("ask", [run_stretches, carry, half_lives])
def test_a_network_in_training_mode_is_not_read(ask):
    with pytest.raises(ValueError, match=r"in training mode, .*: call network.eval\(\) first"):
        ask(made().train(), *random_clip(9))


def test_layers_without_states_are_refused():
    with pytest.raises(ValueError, match="attention"):
        run_stretches(build_network(small_config(fusion="attention")).eval(), *random_clip(9))
