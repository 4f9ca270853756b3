from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

import kernels
from kernels.cpu_forward import SPACING
from tests.kernels.cases import (
    COUPLINGS,
    OPTIONS,
    arguments,
    cast,
    check,
    check_inference_keeps_nothing,
    check_nan_stays,
    check_others_stay,
    check_spoilt,
    run,
)


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 500, 1000], ids=lambda n: f"L{n}")
def test_every_length_matches_float64(length: int) -> None:
    check(arguments((2, length, 3, 7, 8)), "cpu")


def test_sums_over_a_long_sequence_match_float64() -> None:
    """The seed is one at which a single float32 sum over all ticks was over the budget by more than a little."""
    check(arguments((1, 4000, 1, 16, 4), "identity", ("D", "delta_bias"), seed=5), "cpu")


def test_the_gradients_of_skip_and_bias_lose_nothing_with_length() -> None:
    """Both are sums over all ticks of what is known at each: of u, and of the gradient of delta."""
    u = torch.rand(1, 200_000, 1, 16, generator=torch.Generator().manual_seed(0)) + 0.5
    delta = torch.full_like(u, 0.1, requires_grad=True)
    skip, bias = (torch.full((1, 16), value, requires_grad=True) for value in (1.0, 0.0))
    ones, A = torch.ones(1, u.shape[1], 1, 1), -torch.ones(1, 16, 1)
    y = kernels.coupled_scan(u, delta, A, ones, ones, torch.ones(1, 1), skip, delta_bias=bias, backend="cpu")
    of_skip, of_bias, of_delta = torch.autograd.grad(y.sum(), (skip, bias, delta))
    for found, each in ((of_skip, u), (of_bias, of_delta)):
        torch.testing.assert_close(found.double(), each.double().sum((0, 1)), rtol=5e-7, atol=0)


@pytest.mark.parametrize("states", [1, 8, 16, 64], ids=lambda n: f"N{n}")
@pytest.mark.parametrize("modalities", [1, 2, 3, 5, 8], ids=lambda n: f"M{n}")
def test_every_size_matches_float64(modalities: int, states: int) -> None:
    check(arguments((2, 37, modalities, 33, states)), "cpu")


@pytest.mark.parametrize("kind", COUPLINGS)
@pytest.mark.parametrize("modalities", [1, 2, 3, 5], ids=lambda n: f"M{n}")
def test_every_coupling_matches_float64(kind: str, modalities: int) -> None:
    check(arguments((2, 40, modalities, 5, 4), kind), "cpu")


@pytest.mark.parametrize("options", [(), *((name,) for name in OPTIONS), OPTIONS], ids="+".join)
@pytest.mark.parametrize("softplus", [True, False], ids=["softplus", "plain"])
def test_every_option_matches_float64(options: tuple[str, ...], softplus: bool) -> None:
    check(arguments((3, 34, 3, 5, 4), options=options, softplus=softplus), "cpu")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_stays_within_its_budget(dtype: torch.dtype) -> None:
    check(arguments((2, 65, 3, 9, 16)), "cpu", dtype)


def test_torchs_default_dtype_changes_nothing() -> None:
    given = cast(arguments((2, 40, 3, 5, 4)))
    wanted = run(given, "cpu") | traced(given, "cpu")
    # With one of 16 bits the loops would write past what was given them.
    torch.set_default_dtype(torch.float64)
    try:
        found = run(given, "cpu") | traced(given, "cpu")
    finally:
        torch.set_default_dtype(torch.float32)
    for name, value in found.items():
        assert value.dtype == wanted[name].dtype
        assert torch.equal(value, wanted[name]), name


def traced(given: dict[str, Any], backend: str) -> dict[str, torch.Tensor]:
    values = kernels.coupled_trace(**given, return_final_state=True, backend=backend)
    return dict(zip(("traced y", "norm", "share", "traced state"), values, strict=True))


def test_threads_do_not_change_the_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels import cpu

    given = cast(arguments((3, 70, 3, 70, 8)))
    alone = run(given, "cpu")
    monkeypatch.setattr(cpu, "THREAD_WORK", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    for name, value in run(given, "cpu").items():
        assert torch.equal(value, alone[name]), name


def test_callers_in_many_threads_get_the_same_answer() -> None:
    given = cast(arguments((4, 120, 3, 64, 16)))
    expected = run(given, "cpu")["dA"]
    answers: list[torch.Tensor] = []
    callers = [threading.Thread(target=lambda: answers.append(run(given, "cpu")["dA"])) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert len(answers) == 6
    assert all(torch.equal(answer, expected) for answer in answers)


def test_strided_inputs_give_the_same_answer() -> None:
    given = cast(arguments((2, 33, 3, 6, 4)))
    strided = {
        name: value.detach()
        .transpose(0, -1)
        .contiguous()
        .transpose(0, -1)
        .requires_grad_(value.requires_grad)
        if isinstance(value, torch.Tensor)
        else value
        for name, value in given.items()
    }
    assert not strided["u"].is_contiguous()
    plain, other = run(given, "cpu"), run(strided, "cpu")
    for name, value in plain.items():  # to rounding: torch's own softplus rounds by the layout
        torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(0, 5, 3, 4, 2), (2, 0, 3, 4, 2)], ids=["batch 0", "length 0"])
def test_empty_inputs_give_empty_outputs(sizes: tuple[int, ...]) -> None:
    given = cast(arguments(sizes))  # type: ignore[arg-type]
    found = run(given, "cpu")
    assert found["y"].shape == given["u"].shape
    assert found["dcoupling"].abs().sum() == 0
    if sizes[1] == 0:
        assert torch.equal(found["state"], given["initial_state"])


def test_a_zero_step_holds_the_state_to_the_bit() -> None:
    given = arguments((1, 200, 1, 32, 4), "identity", ("initial_state",), softplus=False)
    given["delta"] = torch.zeros_like(given["delta"])
    _, state = kernels.coupled_scan(**cast(given), return_final_state=True, backend="cpu")
    assert torch.equal(state, given["initial_state"].float())


def test_float64_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"u is float64: use backend='reference'"):
        kernels.coupled_scan(**cast(arguments((1, 2, 2, 2, 2)), torch.float64), backend="cpu")


@pytest.mark.parametrize("softplus", [True, False], ids=["softplus", "plain"])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_what_masked_ticks_hold_reaches_no_state_and_no_gradient(backend: str, softplus: bool) -> None:
    check_spoilt((2, 40, 3, 5, 4), backend, softplus)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_delta_that_is_nan_makes_nan(backend: str) -> None:
    check_nan_stays((2, 40, 3, 5, 4), backend)


@pytest.mark.parametrize("softplus", [True, False], ids=["softplus", "plain"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf], ids=str)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_delta_that_is_not_finite_leaves_the_others_alone(
    backend: str, value: float, softplus: bool
) -> None:
    check_others_stay((1, 40, 2, 20, 4), backend, value, softplus)


def test_without_gradients_no_checkpoints_are_kept() -> None:
    check_inference_keeps_nothing((2, 128, 3, 16, 4), "cpu", SPACING)
