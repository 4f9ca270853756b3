from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from model.measures.paired import corrected_test, plain_test


def test_without_overlap_it_is_the_plain_paired_t_test():
    a, b = np.random.default_rng(0).standard_normal((2, 12))
    found, expected = corrected_test(a, b, n_train=10**12, n_test=1), ttest_rel(a, b)
    assert found.t == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.difference == pytest.approx(np.mean(a - b))
    plain = plain_test(a, b)
    assert plain.p == pytest.approx(expected.pvalue)
    assert plain.error == pytest.approx(np.std(a - b, ddof=1) / np.sqrt(12))


def test_overlap_widens_the_error_as_nadeau_and_bengio_have_it():
    a, b = np.array([3.0, 5.0, 4.0, 4.0]), np.zeros(4)
    found = corrected_test(a, b, n_train=80, n_test=20)
    assert found.error == pytest.approx(np.sqrt(np.var(a, ddof=1) * (1 / 4 + 20 / 80)))
    assert found.p > ttest_rel(a, b).pvalue


def test_it_is_antisymmetric():
    a, b = np.random.default_rng(1).standard_normal((2, 5))
    there, back = corrected_test(a, b, 4, 1), corrected_test(b, a, 4, 1)
    assert there.t == pytest.approx(-back.t)
    assert there.p == pytest.approx(back.p)


def test_equal_pairs():
    assert corrected_test([1, 2], [1, 2], 4, 1).p == 1
    assert corrected_test([2, 3], [1, 2], 4, 1).p == 0


@pytest.mark.parametrize(
    ("a", "b", "n_train", "n_test"), [([1], [1], 4, 1), ([[1, 2]], [[1, 2]], 4, 1), ([1, 2], [1, 2], 0, 1)]
)
def test_what_cannot_be_tested_is_refused(a, b, n_train, n_test):
    with pytest.raises(ValueError, match="at least"):
        corrected_test(a, b, n_train, n_test)
