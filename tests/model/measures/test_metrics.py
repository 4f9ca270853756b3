from __future__ import annotations

import numpy as np
import pytest

from model.measures import metrics


def test_ccc_is_one_only_for_equality():
    rated = np.array([-2.0, 0.0, 1.0, 2.5])
    assert metrics.ccc(rated, rated) == pytest.approx(1)
    assert metrics.ccc(rated + 1, rated) < metrics.pearson(rated + 1, rated)
    assert metrics.pearson(rated + 1, rated) == pytest.approx(1)


def test_ccc_by_hand():
    # variances 1 and 4 (population), covariance 2, means 0 and 1: 2 * 2 / (1 + 4 + 1)
    assert metrics.ccc([-1.0, 1.0], [-1.0, 3.0]) == pytest.approx(4 / 6)


def test_sign_accuracy_leaves_zeros_out():
    assert metrics.sign_accuracy([1, -1, 5, -2], [2, 1, 0, -1]) == pytest.approx(2 / 3)


def test_always_negative_is_half_right_when_balanced():
    rated = np.array([-1.0] * 9 + [1.0])
    assert metrics.sign_accuracy(-np.ones(10), rated) == pytest.approx(0.9)
    assert metrics.balanced_sign_accuracy(-np.ones(10), rated) == pytest.approx(0.5)


def test_a_constant_follows_nothing():
    assert metrics.pearson([1, 1, 1], [0, 1, 2]) == 0
    assert metrics.ccc([1, 1, 1], [0, 1, 2]) == 0


def test_signs_need_ratings_that_are_not_zero():
    with pytest.raises(ValueError, match="all 2 ratings are zero"):
        metrics.sign_accuracy([1, 2], [0, 0])
