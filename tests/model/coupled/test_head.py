"""What the head makes of opinions: alone, together, in conflict and of nothing."""

from __future__ import annotations

import math

import pytest
import torch

from model.coupled.config import OPINIONS
from model.coupled.head import bounded, build_head
from tests.model.conftest import small_config

every_kind = pytest.mark.parametrize("opinions", OPINIONS)
LOUD, FAINT = 2.0, -2.0  # log precisions


def combine(
    opinions: str, say: list[float], precision: list[float], heard: list[bool]
) -> tuple[float, float]:
    head = build_head(small_config(opinions=opinions))
    told = torch.tensor(say), torch.tensor(precision), torch.zeros(3)
    score, scale = head.combine(told, torch.tensor(heard), 0)
    return score.item(), scale.item()


@pytest.mark.parametrize("precision", [FAINT, 0.0, LOUD])
def test_one_posterior_is_the_score_however_sure_it_is(precision):
    score, _ = combine("posterior", [9.0, 1.3, 9.0], [LOUD, precision, LOUD], [False, True, False])
    assert score == pytest.approx(bounded(torch.tensor(1.3)).item())


@pytest.mark.parametrize("precision", [FAINT, 0.0, LOUD])
def test_one_likelihood_is_shrunk_by_the_prior(precision):
    score, _ = combine("likelihood", [9.0, 1.3, 9.0], [LOUD, precision, LOUD], [False, True, False])
    p = math.exp(precision)
    assert score == pytest.approx(p / (1 + p) * bounded(torch.tensor(1.3)).item())


@every_kind
def test_two_that_agree_say_more_than_either(opinions):
    alone, _ = combine(opinions, [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [True, False, False])
    both, _ = combine(opinions, [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [True, True, False])
    assert 0 < alone < both < 3


def test_a_posterior_is_the_product_of_gaussians_with_their_prior_counted_once():
    """Against the mean of the product on a grid, prior and likelihoods written out."""
    say, log_precision = torch.tensor([0.4, -0.3, 0.5]).double(), torch.tensor([0.5, -1.0, 1.0]).double()
    p = log_precision.exp()
    shown = (1 + p) * say / p  # what each modality shows, by its posterior's mean
    grid = torch.linspace(-12, 12, 48_001).double()
    log = -0.5 * grid**2 - 0.5 * (p[:, None] * (grid - shown[:, None]) ** 2).sum(0)
    mean = (log.softmax(0) * grid).sum()
    score, _ = combine("posterior", say.tolist(), log_precision.tolist(), [True] * 3)
    assert score == pytest.approx(bounded(mean).item(), abs=1e-5)


@every_kind
def test_the_surer_one_weighs_more_and_a_conflict_widens_the_scale(opinions):
    heard = [True, True, False]
    assert combine(opinions, [2.0, -2.0, 0.0], [LOUD, FAINT, 0.0], heard)[0] > 0.5
    apart = combine(opinions, [2.0, -2.0, 0.0], [0.0, 0.0, 0.0], heard)
    agreed = combine(opinions, [2.0, 2.0, 0.0], [0.0, 0.0, 0.0], heard)
    assert apart[0] == pytest.approx(0, abs=1e-6)
    assert apart[1] > 1.2 * agreed[1]


@every_kind
def test_of_nothing_it_says_neutral_with_the_priors_scale(opinions):
    assert combine(opinions, [5.0] * 3, [LOUD] * 3, [False] * 3) == (0.0, pytest.approx(1.0, abs=1e-3))


@every_kind
def test_the_score_stays_in_its_range_however_loud_the_opinions(opinions):
    score, scale = combine(opinions, [50.0] * 3, [6.0] * 3, [True] * 3)
    assert 2.5 < score <= 3
    assert scale > 0


@every_kind
def test_the_scale_does_not_bend_the_opinions(opinions):
    head = build_head(small_config(opinions=opinions))
    say, precision = torch.tensor([1.0, -1.0, 0.5]), torch.zeros(3)
    told = say.requires_grad_(), precision.requires_grad_(), torch.zeros(3).requires_grad_()
    head.combine(told, torch.ones(3, dtype=torch.bool), 0)[1].backward()
    assert told[0].grad is None
    assert told[1].grad is None
    assert told[2].grad.abs().min() > 0
