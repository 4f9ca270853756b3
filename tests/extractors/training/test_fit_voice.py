from __future__ import annotations

import numpy as np
import pytest
import torch

from extractors.training.fit_voice import Recipe, fit_head, fit_hidden, loss, widest
from extractors.voice.encoder import EMOTIONS, SCORES

QUICK = Recipe(
    steps=20, directions=12, groups=2, units=16, epochs=40, batch=60, rate=0.02, unheard=0.0, resting=0.0
)


def crossed(count: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows of two classes that no line parts: which it is says the sign of a product."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(0, 0.1, (count, 12)).astype(np.float32)
    rows[:, :2] = draw.choice([-2.0, 2.0], (count, 2)) + draw.normal(0, 0.3, (count, 2))
    same = rows[:, 0] * rows[:, 1] > 0
    return rows, np.where(same, EMOTIONS.index("happy"), EMOTIONS.index("sad"))


def test_the_hidden_layer_tells_what_no_line_can() -> None:
    rows, emotion = crossed()
    unseen, wanted = crossed(seed=1)
    both = fit_head(rows.copy(), emotion, QUICK)
    line = fit_head(rows.copy(), emotion, Recipe(**(vars(QUICK) | {"epochs": 0})))
    line.outer[:] = 0
    assert np.mean(both(unseen).argmax(axis=1) == wanted) > 0.95
    assert np.mean(line(unseen).argmax(axis=1) == wanted) < 0.7


def test_a_fit_is_the_same_again_whatever_was_drawn_before() -> None:
    rows, emotion = crossed()
    first = fit_head(rows.copy(), emotion, QUICK)
    torch.rand(3)
    again = fit_head(rows.copy(), emotion, QUICK)
    other = fit_head(rows.copy(), emotion, Recipe(**(vars(QUICK) | {"seed": 1})))
    assert np.array_equal(first.inner, again.inner)
    assert not np.array_equal(first.inner, other.inner)


def test_the_groups_side_by_side_give_their_mean() -> None:
    rows, emotion = crossed()
    given, rarity = torch.from_numpy(rows), torch.ones(len(EMOTIONS))
    inner, threshold, outer, shift = fit_hidden(given, torch.from_numpy(emotion), rarity, QUICK)
    assert inner.shape == (32, 12)
    together = np.maximum(rows @ inner.T + threshold, 0) @ outer.T + shift
    apart = [
        np.maximum(rows @ inner[k].T + threshold[k], 0) @ (2 * outer[:, k]).T + shift
        for k in (slice(0, 16), slice(16, 32))
    ]
    assert together == pytest.approx(np.mean(apart, axis=0), abs=1e-4)
    assert np.abs(apart[0] - apart[1]).max() > 0.01


@pytest.mark.parametrize("count", [30, 400])
def test_the_widest_directions_are_found_and_brought_to_a_common_spread(count: int) -> None:
    """By either way: fewer rows than columns, and more."""
    draw = np.random.default_rng(2)
    rows = draw.normal(size=(count, 40)).astype(np.float32)
    rows[:, 7] *= 30
    found = widest(rows, 3)
    assert found.shape == (3, 40)
    assert np.abs(found[0]).argmax() == 7
    assert np.mean((rows @ found.T) ** 2) == pytest.approx(1, rel=1e-3)


def test_surprise_counts_for_the_class_and_not_for_the_score() -> None:
    logits = torch.zeros(6, 9)
    wanted = torch.tensor([EMOTIONS.index(e) for e in ("happy", "happy", "sad", "sad", "angry", "surprise")])
    rarity = torch.ones(9)
    plain, odd = Recipe(), Recipe(agreement=0, sign=0)
    moved = logits.clone()
    moved[5, EMOTIONS.index("surprise")] = 3
    assert np.isnan(SCORES["surprise"])
    gains = [float(loss(logits, wanted, rarity, r) - loss(moved, wanted, rarity, r)) for r in (plain, odd)]
    assert gains[0] == pytest.approx(gains[1], abs=1e-5)
    assert gains[1] > 0
