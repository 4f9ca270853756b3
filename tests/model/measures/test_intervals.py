from __future__ import annotations

import numpy as np
import pytest

from model.measures.intervals import quantile


@pytest.mark.parametrize(("n", "rank"), [(9, 9), (10, 10), (19, 18), (99, 90), (192, 174), (999, 900)])
def test_the_quantile_is_the_one_of_the_promise(n: int, rank: int) -> None:
    excesses = np.random.default_rng(n).permutation(np.arange(1, n + 1)).astype(np.float32)
    assert quantile(excesses) == rank


def test_one_more_of_the_same_kind_is_within_it_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    for n in (9, 10, 12, 25):
        drawn = rng.exponential(size=(4000, n + 1)).astype(np.float32)
        held = np.mean([row[-1] <= quantile(row[:-1]) for row in drawn])
        assert held > 0.9 - 3 * np.sqrt(0.09 / 4000)


@pytest.mark.parametrize("n", [0, 1, 8])
def test_too_few_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} excesses are too few .* at least 9"):
        quantile(np.ones(n, np.float32))


def test_it_is_rounded_up_and_not_below_itself() -> None:
    for value in (0.12341, 0.12349, 0.1234, 1e-9, 2.0, 0.1 + 0.2, np.float32(0.7), 1234.56785):
        found = quantile(np.full(9, value))
        assert value <= found < value + 1.01e-4
        assert found == round(found, 4)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_quantile_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"excesses is {value}"):
        quantile(np.full(9, value))
