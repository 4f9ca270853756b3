from __future__ import annotations

import pytest
import torch

from model.coupled.network import CoupledMamba
from model.fusion.bidirectional import Bidirectional, make, single_directions, turned
from tests.model.conftest import random_clip, small_config


def test_turning_is_its_own_inverse_and_leaves_padding():
    observed = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    expected = [[2, 1, 0, 3, 4], [4, 3, 2, 1, 0], [2, 1, 0, 3, 4], [0, 1, 2, 3, 4]]
    assert turned(observed).tolist() == expected
    assert turned(observed).gather(1, turned(observed)).tolist() == [[0, 1, 2, 3, 4]] * 4


@pytest.fixture
def both() -> Bidirectional:
    torch.manual_seed(0)
    return Bidirectional(small_config()).eval()


def test_a_tick_knows_what_comes_after_it(both):
    values, presence = random_clip(12)
    changed = {m: v.clone() for m, v in values.items()}
    changed["text"][:, 9] += 3
    presence[:, 9, 0] = 1
    with torch.no_grad():
        before, after = both(values, presence).ticks, both(changed, presence).ticks
    assert ((before - after).abs()[:, :9] > 1e-6).any()


@pytest.mark.parametrize("fusion", ["coupled", "independent", "late", "concat", "attention"])
def test_padding_changes_nothing(fusion):
    torch.manual_seed(0)
    network = make(small_config(fusion=fusion), True).eval()
    values, presence = random_clip(7)
    longer = {m: torch.cat([v, torch.randn(2, 4, v.shape[2])], 1) for m, v in values.items()}
    presence[:, -1] = 1
    padded = torch.cat([presence, torch.zeros(2, 4, 3)], 1)
    with torch.no_grad():
        short, long = network(values, presence), network(longer, padded)
    torch.testing.assert_close(long.ticks[:, :7], short.ticks, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(long.clip, short.clip, rtol=1e-4, atol=1e-5)


def test_presence_of_nan_or_below_0_is_padding_as_it_is_to_each_direction(both):
    values, presence = random_clip(9)
    presence[:, 4], presence[:, 5:] = 1, 0
    with torch.no_grad():
        expected = both(values, presence)
        for absent in (-1.0, torch.nan):
            found = both(values, torch.where(presence > 0, presence, absent))
            assert torch.equal(found.ticks, expected.ticks)
            assert torch.equal(found.clip, expected.clip)


def test_one_network_twice_reads_a_palindrome_the_same_both_ways(both):
    both.backwards.load_state_dict(both.forwards.state_dict())
    values, presence = random_clip(6)
    palindrome = {m: torch.cat([v, v.flip(1)], 1) for m, v in values.items()}
    with torch.no_grad():
        ticks = both(palindrome, torch.cat([presence, presence.flip(1)], 1).clamp_min(1)).ticks
    torch.testing.assert_close(ticks, ticks.flip(1), rtol=1e-4, atol=1e-5)


def test_what_is_said_of_a_tick_is_the_mean_of_both_readings_of_that_tick(both):
    values, presence = random_clip(9)
    presence[:, -1] = 1
    backwards = {m: v.flip(1) for m, v in values.items()}
    with torch.no_grad():
        found = both(values, presence)
        ahead, back = both.forwards(values, presence), both.backwards(backwards, presence.flip(1))
    for name in ("ticks", "tick_scale"):
        expected = (getattr(ahead, name) + getattr(back, name).flip(1)) / 2
        torch.testing.assert_close(getattr(found, name), expected)
        assert (getattr(back, name) - getattr(back, name).flip(1)).abs().max() > 1e-4


def test_one_direction_is_the_network_itself():
    network = make(small_config(), False)
    assert type(network) is CoupledMamba
    assert single_directions(network) == (network,)
    assert len(single_directions(make(small_config(), True))) == 2
