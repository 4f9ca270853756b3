"""The vector type and its functions against numpy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kernels import lanes
from kernels.lanes import LANES, compiled, exp2, load, scratch, sigmoid, softplus, store, total


@compiled
def _exp2(x: Any, y: Any) -> None:
    for o in range(0, len(x), LANES):
        store(y, o, exp2(load(x, o)))


@compiled
def _softplus(x: Any, y: Any) -> None:
    for o in range(0, len(x), LANES):
        store(y, o, softplus(load(x, o)))


@compiled
def _sigmoid(x: Any, y: Any) -> None:
    for o in range(0, len(x), LANES):
        store(y, o, sigmoid(load(x, o)))


@compiled
def _total(x: Any) -> Any:
    return total(load(x, 0))


@compiled
def _address(count: int) -> Any:
    return scratch(count).ctypes.data


def _apply(function: Callable[..., None], values: np.ndarray) -> np.ndarray:
    found = np.empty_like(values)
    function(values, found)
    return found.astype(np.float64)


def _between(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 1000 * LANES).astype(np.float32)


@pytest.mark.parametrize(
    ("function", "exact", "values"),
    [
        (_exp2, np.exp2, _between(-125, 127)),
        (_exp2, np.exp2, _between(-1e-3, 1e-3)),
        (_softplus, lambda x: np.log1p(np.exp(x)), _between(-80, 80)),
        (_sigmoid, lambda x: 1 / (1 + np.exp(-x)), _between(-20, 80)),
    ],
    ids=["2^x", "2^x near 0", "softplus", "sigmoid"],
)
def test_functions_are_right_to_a_few_roundings(function: Any, exact: Any, values: np.ndarray) -> None:
    expected = exact(values.astype(np.float64))
    # A softplus or sigmoid of a large negative number inherits the rounding of its scaled argument.
    allowed = 4e-7 if function is _exp2 else 4e-7 + 1.2e-7 * np.abs(values)
    assert np.all(np.abs(_apply(function, values) / expected - 1) < allowed)


def test_slow_decay_is_right_beside_one() -> None:
    values = _between(-1e-3, -1e-5)
    decay = 1 - _apply(_exp2, values)
    expected = -np.expm1(values.astype(np.float64) * np.log(2))
    assert np.abs(decay - expected).max() < 6.5e-8  # half a unit in the last place of one


def test_the_ends_of_the_range() -> None:
    values = np.zeros(LANES, np.float32)
    values[:5] = [0.0, -1000.0, 128.0, -np.inf, np.nan]
    found = _apply(_exp2, values)
    assert found[0] == 1.0
    assert found[1] == found[3] == 2.0**-126
    assert found[2] == np.inf
    assert np.isnan(found[4])


def test_lanes_add_up() -> None:
    assert _total(np.arange(LANES, dtype=np.float32)) == LANES * (LANES - 1) / 2


def test_scratch_begins_a_cache_line() -> None:
    assert {_address(count) % 64 for count in range(1, 200)} == {0}


def test_a_machine_without_a_writable_cache_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = lanes.njit

    def without_a_folder(**options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(lanes, "njit", without_a_folder)
    assert compiled(lambda x: x + 1)(1) == 2
