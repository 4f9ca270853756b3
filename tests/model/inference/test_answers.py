from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from model.inference import answers
from model.inference.answers import memory, paths, why
from model.inference.prediction import predict
from tests.model.conftest import WIDTHS
from tests.model.inference.test_prediction import clip


def test_base_and_sources_make_up_the_score(network):
    values, presence = clip()
    whole, _ = predict(network, values, presence)
    for at in (0, 5, 11):
        found = why(network, values, presence, at)
        assert {m: line.shape for m, line in found.sources.items()} == dict.fromkeys(WIDTHS, (at + 1,))
        assert found.base + sum(line.sum() for line in found.sources.values()) == pytest.approx(
            found.score, abs=1e-4
        )
        assert found.score == pytest.approx(whole.ticks[at], abs=1e-5)
    kept = {m: (v[:6], presence[m][:6]) for m, v in values.items() if m != "audio"}
    fewer, _ = predict(network, {m: v for m, (v, _) in kept.items()}, {m: p for m, (_, p) in kept.items()})
    assert why(network, values, presence, 5).without["audio"] == pytest.approx(fewer.ticks[5], abs=1e-5)
    assert why(network, {"text": values["text"]}, {"text": presence["text"]}, 5).without == {}
    with pytest.raises(IndexError, match="tick 12 is outside"):
        why(network, values, presence, 12)


@pytest.mark.parametrize("reach", [100, 0, 5], ids=["all", "heard alone", "some"])
def test_a_late_moment_has_the_score_of_the_whole_reading(network, monkeypatch, reach):
    """The face is seen at the start alone: its chain keeps its say ever after, and the window shows no face."""
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name.startswith("head."):  # it starts near indifference, where a chain left out would not show
                tensor.add_(0.5 * torch.randn(tensor.shape))
    values, presence = clip(40)
    presence["visual"][8:] = 0
    presence["text"][25:30] = 0
    monkeypatch.setattr(answers, "LONGEST", 10)
    monkeypatch.setattr(answers, "REACH", reach or 1)
    whole, _ = predict(network, values, presence)
    rest = {m: v for m, v in values.items() if m != "visual"}
    fewer, _ = predict(network, rest, {m: presence[m] for m in rest})
    within = 1e-5 if reach == 100 else 0.05
    for at in (20, 39):
        late = why(network, values, presence, at)
        assert late.first == at - 9
        assert late.score == pytest.approx(whole.ticks[at], abs=within)
        total = late.base + sum(float(line.sum()) for line in late.sources.values())
        assert total == pytest.approx(late.score, abs=1e-4)
        assert not late.sources["visual"].any()
        assert set(late.without) == set(WIDTHS)
        assert late.without["visual"] == pytest.approx(fewer.ticks[at], abs=within)


def test_ticks_count_from_the_end_of_the_whole_clip_where_negative(network, monkeypatch):
    values, presence = clip(40)
    monkeypatch.setattr(answers, "LONGEST", 10)
    for at in (-1, -40, -15):
        found, expected = why(network, values, presence, at), why(network, values, presence, 40 + at)
        assert found.first == expected.first
        assert (found.score, found.base, found.without) == (expected.score, expected.base, expected.without)
        assert all(np.array_equal(found.sources[m], line) for m, line in expected.sources.items())
    for at in (40, 49, -41):
        with pytest.raises(IndexError, match=f"tick {at} is outside of the clip's 40: count from 0 to 39"):
            why(network, values, presence, at)


def test_what_was_said_before_a_long_silence_is_read_too(network, monkeypatch):
    """Where nothing is observed nothing is forgotten: such ticks do not count among those that are read for it."""
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            # Of longer memory than at the start, and less indifferent: so that what was said long ago shows.
            tensor.add_(-4 if name.endswith("log_a") else 0.3 * torch.randn(tensor.shape))
    values, presence = clip(60)
    for line in presence.values():
        line[10:45] = 0
    monkeypatch.setattr(answers, "LONGEST", 10)
    monkeypatch.setattr(answers, "REACH", 15)
    whole, _ = predict(network, values, presence)
    late = why(network, values, presence, 59)
    assert late.score == pytest.approx(whole.ticks[59], abs=1e-5)
    rest = [m for m in values if m != "visual"]
    fewer, _ = predict(network, {m: values[m] for m in rest}, {m: presence[m] for m in rest})
    assert late.without["visual"] == pytest.approx(fewer.ticks[59], abs=1e-5)
    monkeypatch.setattr(answers, "REACH", 5)
    assert why(network, values, presence, 59).score != pytest.approx(whole.ticks[59], abs=1e-5)


def test_memory_has_a_coupling_and_half_lives_for_every_layer(network):
    found = memory(network, *clip())
    assert found.coupling.shape == (2, 3, 3)
    np.testing.assert_allclose(found.coupling.sum(-1), 1, atol=1e-5)
    assert found.half_life.shape == (2, 3)
    assert (found.half_life > 0).all()
    assert found.together.shape == (2,)


def test_a_network_in_bfloat16_is_asked_as_it_predicts(network, monkeypatch):
    monkeypatch.setattr(answers, "LONGEST", 10)
    values, presence = clip(40)
    exact, network = copy.deepcopy(network), network.bfloat16()
    found, expected = (why(n, values, presence, 39) for n in (network, exact))
    assert all(line.dtype == np.float32 for line in found.sources.values())
    assert found.score == pytest.approx(expected.score, abs=0.05)
    assert found.base + sum(line.sum() for line in found.sources.values()) == pytest.approx(
        found.score, abs=0.05
    )
    assert found.without == pytest.approx(expected.without, abs=0.05)
    lived, longer = (memory(n, values, presence) for n in (network, exact))
    assert lived.coupling.dtype == np.float32
    np.testing.assert_allclose(lived.coupling, longer.coupling, atol=0.01)
    np.testing.assert_allclose(lived.half_life, longer.half_life, rtol=0.2)
    way, straight = (paths(n, values, presence) for n in (network, exact))
    assert way.points.dtype == np.float32
    assert way.shown == pytest.approx(straight.shown, abs=0.05)


def test_paths_are_the_three_directions_of_most_movement(network):
    values, presence = clip(40)
    found = paths(network, values, presence)
    assert found.points.shape == (40, 3, 3)
    assert np.abs(found.points).max() == pytest.approx(1)
    np.testing.assert_allclose(found.points.mean(0), 0, atol=1e-5)
    flat = found.points.reshape(-1, 3)
    spread = flat.T @ flat
    np.testing.assert_allclose(spread, np.diag(np.diag(spread)), atol=1e-3)
    assert np.all(np.diff(np.diag(spread)) <= 0)
    assert 0 < found.shown <= 1


def test_a_clip_of_one_tick_does_not_move(network):
    found = paths(network, *clip(1))
    assert found.shown == 0
    assert not found.points.any()
