"""Laws that hold for any input, tried on inputs that hypothesis invents."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels import coupled_scan, coupled_step, coupled_trace
from tests.kernels.cases import COUPLINGS, OPTIONS, arguments

TIME_AXIS = ("u", "delta", "B", "C", "z", "mask")
CHAIN_AXES = {
    "u": (2,),
    "delta": (2,),
    "A": (0,),
    "B": (2,),
    "C": (2,),
    "coupling": (0, 1),
    "D": (0,),
    "z": (2,),
}
CHAIN_AXES |= {"delta_bias": (0,), "initial_state": (1,), "mask": (2,)}

few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
backends = pytest.mark.parametrize("backend", ["reference", "cpu"])


@st.composite
def scans(draw: st.DrawFn, kinds: tuple[str, ...] = COUPLINGS, most: int = 20) -> dict[str, Any]:
    """Arguments of a small scan, with any of the options."""
    sizes = tuple(draw(st.integers(1, top)) for top in (2, most, 4, 5, 4))
    options = tuple(draw(st.sets(st.sampled_from(OPTIONS))))
    return arguments(
        sizes, draw(st.sampled_from(kinds)), options, draw(st.booleans()), draw(st.integers(0, 99))
    )


def for_backend(given_: dict[str, Any], backend: str) -> dict[str, Any]:
    if backend == "reference":
        return given_
    return {k: v.float() if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in given_.items()}


def assert_equal(found: Tensor, expected: Tensor) -> None:
    """Equal to rounding, relative to the largest entry: a literal sum grows by orders of magnitude."""
    eps = 1e-12 if expected.dtype == torch.float64 else 1e-5
    scale = max(float(expected.abs().max()), 1e-3) if expected.numel() else 1.0
    torch.testing.assert_close(found, expected, rtol=0, atol=eps * scale)


def permuted(name: str, value: Any, order: list[int]) -> Any:
    for axis in CHAIN_AXES.get(name, ()):
        value = value.index_select(axis, torch.tensor(order))
    return value


@backends
@few
@given(arguments_=scans(), data=st.data())
def test_permuting_the_chains_permutes_everything(
    backend: str, arguments_: dict[str, Any], data: Any
) -> None:
    given_ = for_backend(arguments_, backend)
    order = data.draw(st.permutations(range(given_["u"].shape[2])))
    y, norm, share, state = coupled_trace(**given_, return_final_state=True, backend=backend)
    swapped = {name: permuted(name, value, order) for name, value in given_.items()}
    y2, norm2, share2, state2 = coupled_trace(**swapped, return_final_state=True, backend=backend)
    assert_equal(y2, y[:, :, order])
    assert_equal(norm2, norm[:, :, order])
    assert_equal(state2, state[:, order])
    # Where the output nearly vanishes a share is a ratio of roundings.
    stable = share.abs().amax((-1, -2)) < 1e2
    assert_equal(share2[stable], share[:, :, order][..., order][stable])


@backends
@few
@given(arguments_=scans(), cut=st.integers(0, 20))
def test_a_scan_in_two_pieces_is_one_scan(backend: str, arguments_: dict[str, Any], cut: int) -> None:
    given_ = for_backend(arguments_, backend)
    cut = min(cut, given_["u"].shape[1])
    whole, last = coupled_scan(**given_, return_final_state=True, backend=backend)
    pieces = [
        {name: value[:, part] if name in TIME_AXIS else value for name, value in given_.items()}
        for part in (slice(None, cut), slice(cut, None))
    ]
    before, state = coupled_scan(**pieces[0], return_final_state=True, backend=backend)
    after, end = coupled_scan(
        **{**pieces[1], "initial_state": state}, return_final_state=True, backend=backend
    )
    assert_equal(torch.cat([before, after], 1), whole)
    assert_equal(end, last)


@backends
@few
@given(arguments_=scans(most=8))
def test_steps_are_the_scan(backend: str, arguments_: dict[str, Any]) -> None:
    given_ = for_backend(arguments_, backend)
    whole, last = coupled_scan(**given_, return_final_state=True, backend=backend)
    state = given_.pop("initial_state", torch.zeros_like(last))
    for t in range(whole.shape[1]):
        tick = {name: value[:, t] for name, value in given_.items() if name in TIME_AXIS}
        y, state = coupled_step(state, **{**given_, **tick}, backend=backend)
        assert_equal(y, whole[:, t])
    assert_equal(state, last)


@backends
@few
@given(arguments_=scans())
def test_a_trace_is_the_scan_and_its_shares_sum_to_one(backend: str, arguments_: dict[str, Any]) -> None:
    given_ = for_backend(arguments_, backend)
    y, norm, share, state = coupled_trace(**given_, return_final_state=True, backend=backend)
    expected, last = coupled_scan(**given_, return_final_state=True, backend=backend)
    assert_equal(y, expected)
    assert_equal(state, last)
    assert_equal(norm[:, -1], last.flatten(2).norm(dim=-1))
    total = share.sum(-1)
    zero = (share == 0).all(-1)
    stable = share.abs().sum(-1) < 1e2
    torch.testing.assert_close(
        total[stable & ~zero], torch.ones_like(total[stable & ~zero]), rtol=0, atol=1e-4
    )
    only_norms = coupled_trace(**given_, backend=backend, shares=False)
    assert only_norms[2] is None
    assert_equal(only_norms[1], norm)


@backends
@few
@given(arguments_=scans())
def test_a_source_alone_gives_its_share_of_the_output(backend: str, arguments_: dict[str, Any]) -> None:
    given_ = for_backend({k: v for k, v in arguments_.items() if k not in ("D", "z")}, backend)
    y, _, share = coupled_trace(**given_, backend=backend)
    for j in range(y.shape[2]):
        alone = dict(given_)
        for name, axis in (("u", 2), ("initial_state", 1)):
            if name in given_:
                keep = torch.zeros(y.shape[2], dtype=y.dtype)
                keep[j] = 1
                alone[name] = given_[name] * keep.view([-1 if a == axis else 1 for a in range(4)])
        y_j = coupled_scan(**alone, backend=backend)
        assert_equal((y_j * y).sum(-1), share[..., j] * y.square().sum(-1))


@backends
@few
@given(arguments_=scans(("identity",)))
def test_identity_coupling_keeps_every_source_at_home(backend: str, arguments_: dict[str, Any]) -> None:
    _, _, share = coupled_trace(**for_backend(arguments_, backend), backend=backend)
    away = share - torch.diag_embed(torch.diagonal(share, dim1=-2, dim2=-1))
    assert float(away.abs().max()) == 0


@backends
@few
@given(arguments_=scans(), tick=st.integers(0, 19))
def test_nothing_flows_back_in_time(backend: str, arguments_: dict[str, Any], tick: int) -> None:
    given_ = for_backend(arguments_, backend)
    tick = min(tick, given_["u"].shape[1] - 1)
    changed = dict(given_)
    changed["u"] = given_["u"].clone()
    changed["u"][:, tick:] += 1
    before = coupled_scan(**given_, backend=backend)[:, :tick]
    assert torch.equal(coupled_scan(**changed, backend=backend)[:, :tick], before)


@backends
def test_the_same_input_gives_the_same_bits(backend: str) -> None:
    given_ = for_backend(arguments((2, 50, 3, 40, 8)), backend)
    first = coupled_trace(**given_, backend=backend)
    second = coupled_trace(**given_, backend=backend)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@backends
def test_silence_has_no_shares(backend: str) -> None:
    given_ = for_backend(arguments((1, 4, 3, 2, 2), options=()), backend)
    given_["u"] = torch.zeros_like(given_["u"])
    _, norm, share = coupled_trace(**given_, backend=backend)
    assert float(norm.abs().max()) == 0
    assert float(share.abs().max()) == 0
