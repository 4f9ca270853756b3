"""The Triton backend under Triton's interpreter: run by test_triton.py in a process of its own.

The interpreter is chosen by an environment variable that Triton reads while it is imported, so these tests cannot
share a process with the rest. A program-step takes about 1 ms there: the sizes are small.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime import interpreter

from kernels import coupled_scan, coupled_step, coupled_trace, explain_backend, triton_scan
from kernels.triton_blocks import polynomial_exp2
from tests.kernels.cases import (
    COUPLINGS,
    OPTIONS,
    arguments,
    cast,
    check,
    check_inference_keeps_nothing,
    check_nan_stays,
    check_others_stay,
    check_refuses_second_derivatives,
    check_spoilt,
    detached,
    run,
)


@triton.jit
def _powers(p_x, p_y, COUNT: tl.constexpr):  # type: ignore[no-untyped-def]
    o = tl.arange(0, COUNT)
    tl.store(p_y + o, polynomial_exp2(tl.load(p_x + o)))


@pytest.fixture(autouse=True)
def _calls_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each call of one kernel by another the interpreter changes all of triton.language, which is so already.

    That is half of its time; the first call of each module's is enough.
    """
    changed: set[str] = set()

    def call(kernel: Any, *given: Any, **named: Any) -> Any:
        if kernel.fn.__module__ not in changed:
            interpreter._patch_lang(kernel.fn)
            changed.add(kernel.fn.__module__)
        return kernel.rewrite()(*given, **named)

    monkeypatch.setattr(interpreter.InterpretedFunction, "__call__", call)


@pytest.fixture(autouse=True)
def _small_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints every 2 ticks and blocks of 4 channels, so that few ticks cross every edge."""
    monkeypatch.setattr(triton_scan, "SPACING", 2)
    monkeypatch.setattr(triton_scan._Plan, "block", lambda plan, room, tensors: 4)


@pytest.fixture
def in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_scan, "CHUNK", 4)
    monkeypatch.setattr(triton_scan, "PROGRAMS", 10**9)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1, 1), (2, 5, 3, 5, 3), (1, 4, 2, 4, 16), (1, 2, 5, 2, 2)], ids=str
)
def test_every_size_matches_float64(sizes: tuple[int, int, int, int, int]) -> None:
    check(arguments(sizes), "triton")


@pytest.mark.parametrize("kind", COUPLINGS)
def test_every_coupling_matches_float64(kind: str) -> None:
    check(arguments((1, 5, 3, 3, 2), kind), "triton")


@pytest.mark.parametrize("options", [(), *((name,) for name in OPTIONS)], ids="+".join)
@pytest.mark.parametrize("softplus", [True, False], ids=["softplus", "plain"])
def test_every_option_matches_float64(options: tuple[str, ...], softplus: bool) -> None:
    check(arguments((1, 3, 2, 3, 2), options=options, softplus=softplus), "triton")


@pytest.mark.usefixtures("in_chunks")
@pytest.mark.parametrize("sizes", [(1, 16, 2, 2, 2), (1, 18, 3, 2, 1), (2, 17, 1, 1, 3)], ids=str)
@pytest.mark.parametrize("options", [(), OPTIONS], ids=["plain", "all"])
def test_time_in_chunks_matches_float64(
    sizes: tuple[int, int, int, int, int], options: tuple[str, ...]
) -> None:
    given = cast(arguments(sizes))
    assert triton_scan._Plan.of(given["u"], given["A"]).chunks == -(-sizes[1] // 4)
    check(arguments(sizes, "real", options), "triton")


@pytest.mark.parametrize("quarters", [1, 2])
@pytest.mark.parametrize(
    "sizes", [(1, 3, 3, 4, 8), (2, 4, 2, 3, 4), (1, 2, 2, 3, 3), (1, 2, 1, 2, 1)], ids=str
)
def test_exponentials_shared_with_the_polynomial_match_float64(
    sizes: tuple[int, int, int, int, int], quarters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_scan, "QUARTERS", quarters)
    check(arguments(sizes), "triton")


@pytest.mark.usefixtures("in_chunks")
@pytest.mark.parametrize("quarters", [1, 2])
def test_chunks_shared_with_the_polynomial_match_float64(
    quarters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_scan, "QUARTERS", quarters)
    check(arguments((1, 16, 2, 2, 4)), "triton")


def test_the_polynomial_is_a_power_of_two() -> None:
    x = torch.cat([torch.linspace(-130, 127.5, 1021), torch.tensor([0.0, -1e30, float("nan")])])
    found = torch.empty_like(x)
    _powers[(1,)](x, found, COUNT=1024)
    torch.testing.assert_close(
        found[:1021], x[:1021].clamp(min=-126).double().exp2().float(), rtol=4e-7, atol=0
    )
    assert found[1021] == 1
    assert found[1022] == 2.0**-126
    assert found[1023].isnan()


def test_blocks_that_share_a_part_match_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_scan, "PARTS", 2)
    check(arguments((1, 3, 2, 11, 2)), "triton")


@pytest.mark.parametrize("shares", [True, False], ids=["shares", "norms"])
@pytest.mark.parametrize("options", [(), OPTIONS], ids=["plain", "all"])
def test_a_trace_matches_the_reference(shares: bool, options: tuple[str, ...]) -> None:
    given = detached(arguments((2, 4, 3, 5, 3), "real", options))
    ours = coupled_trace(**given, return_final_state=True, backend="triton", shares=shares)
    exact = coupled_trace(**given, return_final_state=True, backend="reference", shares=shares)
    for found, expected in zip(ours, exact, strict=True):
        assert (found is None) == (expected is None)
        if expected is not None:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_steps_are_the_scan() -> None:
    given = detached(arguments((1, 3, 2, 3, 2)))
    whole, last = coupled_scan(**given, return_final_state=True, backend="triton")
    state = given.pop("initial_state")
    for t in range(3):
        tick = {name: given[name][:, t] for name in ("u", "delta", "B", "C", "z", "mask")}
        y, state = coupled_step(state, **{**given, **tick}, backend="triton")
        torch.testing.assert_close(y, whole[:, t])
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("sizes", [(0, 5, 3, 4, 2), (2, 0, 3, 4, 2)], ids=["batch 0", "length 0"])
def test_empty_inputs_give_empty_outputs(sizes: tuple[int, int, int, int, int]) -> None:
    found = run(cast(arguments(sizes)), "triton")
    given = detached(arguments(sizes))
    assert found["y"].shape == given["u"].shape
    assert float(found["dcoupling"].abs().sum()) == 0
    if sizes[1] == 0:
        assert torch.equal(found["state"], given["initial_state"])
    _, norm, share, _ = coupled_trace(**given, return_final_state=True, backend="triton")
    assert norm.shape == sizes[:3]
    assert share.shape == (*sizes[:3], sizes[2])


def test_strided_inputs_give_the_same_bits() -> None:
    given = cast(arguments((1, 3, 2, 3, 2)))
    strided = {
        name: value.detach()
        .transpose(0, -1)
        .contiguous()
        .transpose(0, -1)
        .requires_grad_(value.requires_grad)
        if isinstance(value, Tensor)
        else value
        for name, value in given.items()
    }
    expected, found = run(given, "triton"), run(strided, "triton")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_it_is_refused_in_float64_and_picked_only_by_name() -> None:
    with pytest.raises(ValueError, match="u is float64"):
        coupled_scan(**cast(arguments((1, 1, 1, 1, 1)), torch.float64), backend="triton")
    assert explain_backend(torch.zeros(1, 1, 1, 1)).startswith("cpu: picked")


def test_a_sequence_beyond_32_bits_is_refused_with_the_remedy() -> None:
    long = torch.zeros(1, 1, 1, 1).expand(1, 2**20, 8, 256)
    with pytest.raises(ValueError, match=r"got L = 1048576, .*split the sequence, carrying the state"):
        triton_scan._Plan.of(long, torch.zeros(8, 256, 16))


@pytest.mark.parametrize("softplus", [True, False], ids=["softplus", "plain"])
def test_what_masked_ticks_hold_reaches_no_state_and_no_gradient(softplus: bool) -> None:
    check_spoilt((1, 5, 2, 3, 2), "triton", softplus)


@pytest.mark.usefixtures("in_chunks")
def test_what_masked_ticks_hold_reaches_no_chunk() -> None:
    check_spoilt((1, 16, 2, 2, 2), "triton", True)


def test_a_delta_that_is_nan_makes_nan() -> None:
    check_nan_stays((1, 3, 2, 3, 2), "triton")


@pytest.mark.parametrize("value", [torch.nan, torch.inf], ids=str)
def test_a_delta_that_is_not_finite_leaves_the_others_alone(value: float) -> None:
    check_others_stay((1, 5, 2, 4, 2), "triton", value, False)


@pytest.mark.usefixtures("in_chunks")
def test_a_delta_that_is_nan_makes_nan_of_the_chunks_after_it() -> None:
    check_nan_stays((1, 16, 2, 3, 2), "triton")


def test_without_gradients_no_checkpoints_are_kept() -> None:
    check_inference_keeps_nothing((1, 6, 2, 4, 2), "triton", 2)


def test_a_second_derivative_is_refused_and_not_left_out() -> None:
    check_refuses_second_derivatives((1, 2, 2, 2, 2), "triton", "delta")
