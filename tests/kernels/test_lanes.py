"""The vector type and its functions against numpy in float64."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels import lanes
from kernels.lane_functions import (
    columns,
    exp2,
    exp2_within,
    mix,
    mix_back,
    only,
    outer,
    peak,
    sigmoid,
    softplus,
    store_totals,
)
from kernels.lanes import LANES, compiled, load, matrix, splat, store

ONE, THREE = (0,), (0, 0, 0)


@compiled
def _exp2(x: Any, y: Any, count: int) -> None:
    for o in range(0, count, LANES):
        store(y, o, 0, exp2(load(x, o, 0, ONE)))


@compiled
def _exp2_within(x: Any, y: Any, count: int) -> None:
    for o in range(0, count, LANES):
        store(y, o, 0, exp2_within(load(x, o, 0, ONE), splat(np.float32(0.5))))


@compiled
def _softplus(x: Any, y: Any, count: int) -> None:
    for o in range(0, count, LANES):
        store(y, o, 0, softplus(load(x, o, 0, ONE)))


@compiled
def _sigmoid(x: Any, y: Any, count: int) -> None:
    for o in range(0, count, LANES):
        store(y, o, 0, sigmoid(load(x, o, 0, ONE)))


@compiled
def _totals(x: Any, y: Any, count: int) -> None:
    store_totals(y, 0, 2, load(x, 0, LANES, THREE))


@compiled
def _columns(x: Any, y: Any, count: int) -> None:
    store(y, 0, LANES, columns(x, 0, LANES, THREE))


@compiled
def _peak(x: Any) -> Any:
    return peak(load(x, 0, LANES, THREE))


@compiled
def _mixtures(W: Any, x: Any, y: Any) -> None:
    w, h = matrix(W, THREE), load(x, 0, LANES, THREE)
    store(y, 0, LANES, mix(w, h))
    store(y, 3 * LANES, LANES, mix_back(w, h))
    store(y, 6 * LANES, LANES, only(h, 1))
    store(y, 9 * LANES, LANES, outer(h, h))


def _apply(function: Callable[..., None], values: np.ndarray) -> np.ndarray:
    found = np.empty_like(values)
    function(values.ctypes.data, found.ctypes.data, len(values))
    return found.astype(np.float64)


def _between(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 1000 * LANES).astype(np.float32)


@pytest.mark.parametrize(
    ("function", "exact", "values"),
    [
        (_exp2, np.exp2, _between(-125, 127)),
        (_exp2, np.exp2, _between(-1e-3, 1e-3)),
        (_exp2_within, lambda x: np.exp2(x / 2), _between(-252, 252)),
        (_softplus, lambda x: np.log1p(np.exp(x)), _between(-80, 80)),
        (_sigmoid, lambda x: 1 / (1 + np.exp(-x)), _between(-20, 80)),
    ],
    ids=["2^x", "2^x near 0", "2^(a b)", "softplus", "sigmoid"],
)
def test_functions_are_right_to_a_few_roundings(function: Any, exact: Any, values: np.ndarray) -> None:
    expected = exact(values.astype(np.float64))
    # A softplus or sigmoid of a large negative number inherits the rounding of its scaled argument.
    allowed = 4e-7 if function in (_exp2, _exp2_within) else 4e-7 + 1.2e-7 * np.abs(values)
    assert np.all(np.abs(_apply(function, values) / expected - 1) < allowed)


def test_slow_decay_is_right_beside_one() -> None:
    values = _between(-1e-3, -1e-5)
    for function, scale in ((_exp2, 1), (_exp2_within, 0.5)):
        decay = 1 - _apply(function, values)
        expected = -np.expm1(values.astype(np.float64) * scale * np.log(2))
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
    rows = np.random.default_rng(0).integers(-99, 99, (LANES, 3, LANES)).astype(np.float32)
    found = _apply(_totals, rows.ravel())
    assert np.array_equal(found[:6:2], rows[0].sum(-1))
    sums = _apply(_columns, rows.ravel())[: 3 * LANES].reshape(3, LANES)
    assert np.array_equal(sums, rows.sum(-1).T)


def test_the_largest_magnitude_of_a_bundle() -> None:
    values = np.zeros(3 * LANES, np.float32)
    values[[2, LANES + 3]] = [-7.0, 5.0]
    assert _peak(values.ctypes.data) == 7.0
    values[2] = -np.inf
    assert _peak(values.ctypes.data) == np.inf


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("place", [0, 5, LANES, 2 * LANES + 5, 3 * LANES - 1])
def test_a_nan_is_larger_than_all_magnitudes(place: int, sign: int) -> None:
    values = np.full(3 * LANES, 1e3, np.float32)
    values[1] = np.inf
    values[place] = np.copysign(np.float32(np.nan), np.float32(sign))
    assert np.isnan(_peak(values.ctypes.data))


def test_chains_mix_in_both_directions() -> None:
    rng = np.random.default_rng(0)
    W, h = rng.integers(-9, 9, (3, 3)).astype(np.float32), rng.integers(-9, 9, (3, LANES)).astype(np.float32)
    found = np.empty((18, LANES), np.float32)
    _mixtures(W.ctypes.data, h.ctypes.data, found.ctypes.data)
    assert np.array_equal(found[:3], W @ h)
    assert np.array_equal(found[3:6], W.T @ h)
    assert np.array_equal(found[6:9], h * [[0], [1], [0]])
    assert np.array_equal(found[9:].reshape(3, 3, LANES), h[:, None] * h)


def test_a_machine_without_a_writable_cache_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_a_folder(function: Any) -> Any:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(lanes, "_Cache", without_a_folder)
    assert compiled(lambda x: x + 1)(1) == 2


def _run_probe(house: Path) -> tuple[int, int]:
    """What `probe.py` there computes, and how many of its kernels came from the cache."""
    script = "import probe; print(probe.spacing(), sum(probe.spacing.stats.cache_hits.values()))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=house, capture_output=True, text=True, check=True
    )
    first, second = done.stdout.split()
    return int(first), int(second)


def test_a_change_in_another_file_compiles_a_kernel_anew(tmp_path: Path) -> None:
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").touch()  # the house's own imports torch
    for file in Path(lanes.__file__).parent.glob("*lane*.py"):
        shutil.copy(file, package)
    other = package / "cpu_loops.py"
    other.write_text("SPACING = 32\n")
    (tmp_path / "probe.py").write_text(
        "from kernels.cpu_loops import SPACING\nfrom kernels.lanes import compiled\n\n\n"
        "@compiled\ndef spacing():\n    return SPACING\n"
    )
    assert _run_probe(tmp_path) == (32, 0)
    assert _run_probe(tmp_path) == (32, 1)
    other.write_text("SPACING = 16\n")
    assert _run_probe(tmp_path) == (16, 0)
