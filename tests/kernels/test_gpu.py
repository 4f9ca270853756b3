"""The Triton backend on a GPU: `python -m pytest -m gpu tests/kernels`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kernels import coupled_trace, explain_backend
from tests.kernels.cases import (
    COUPLINGS,
    OPTIONS,
    arguments,
    cast,
    check,
    check_nan_stays,
    check_others_stay,
    check_refuses_second_derivatives,
    run,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA device; run `pytest -m gpu` where one is"
    ),
]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 500, 1000], ids=lambda n: f"L{n}")
def test_every_length_matches_float64(length: int, dtype: torch.dtype) -> None:
    check(arguments((2, length, 3, 37, 16)), "triton", dtype, "cuda")


@pytest.mark.parametrize("states", [1, 8, 16, 64], ids=lambda n: f"N{n}")
@pytest.mark.parametrize("modalities", [1, 2, 3, 5, 8], ids=lambda n: f"M{n}")
def test_every_size_matches_float64(modalities: int, states: int) -> None:
    check(arguments((2, 37, modalities, 33, states)), "triton", device="cuda")


@pytest.mark.parametrize("kind", COUPLINGS)
@pytest.mark.parametrize("length", [40, 300], ids=["whole", "chunks"])
def test_every_coupling_matches_float64(kind: str, length: int) -> None:
    if kind == "sum" and length > 100:
        pytest.skip("the literal sum overflows over so many ticks")
    check(arguments((2, length, 3, 21, 8), kind), "triton", device="cuda")


@pytest.mark.parametrize("options", [(), *((name,) for name in OPTIONS), OPTIONS], ids="+".join)
@pytest.mark.parametrize("softplus", [True, False], ids=["softplus", "plain"])
def test_every_option_matches_float64(options: tuple[str, ...], softplus: bool) -> None:
    check(arguments((3, 300, 3, 5, 4), options=options, softplus=softplus), "triton", device="cuda")


def test_many_sequences_match_float64() -> None:
    check(arguments((40, 50, 3, 256, 16)), "triton", device="cuda")


@pytest.mark.parametrize("sizes", [(40, 50, 3, 256, 16), (1, 700, 3, 64, 64)], ids=["whole", "chunks"])
def test_the_same_input_gives_the_same_bits(sizes: tuple[int, int, int, int, int]) -> None:
    given = cast(arguments(sizes), torch.bfloat16, "cuda")
    first, second = run(given, "triton"), run(given, "triton")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("shares", [True, False], ids=["shares", "norms"])
def test_a_trace_matches_float64(shares: bool) -> None:
    given = {
        k: v.detach() if isinstance(v, Tensor) else v for k, v in cast(arguments((3, 100, 3, 65, 16))).items()
    }
    exact = coupled_trace(**cast(given, torch.float64), return_final_state=True, shares=shares)
    on_gpu = {k: v.cuda() if isinstance(v, Tensor) else v for k, v in given.items()}
    ours = coupled_trace(**on_gpu, return_final_state=True, shares=shares, backend="triton")
    for found, expected in zip(ours, exact, strict=True):
        if expected is not None:
            torch.testing.assert_close(found.cpu().double(), expected.detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("length", [40, 700], ids=["whole", "chunks"])
def test_a_delta_that_is_nan_makes_nan(length: int) -> None:
    check_nan_stays((1, length, 2, 5, 16), "triton", "cuda")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf], ids=str)
def test_a_delta_that_is_not_finite_leaves_the_others_alone(value: float) -> None:
    check_others_stay((1, 40, 2, 20, 4), "triton", value, True, "cuda")


def test_a_second_derivative_is_refused_and_not_left_out() -> None:
    check_refuses_second_derivatives((1, 40, 2, 5, 16), "triton", "delta", "cuda")


def test_auto_picks_triton() -> None:
    assert explain_backend(torch.zeros(1, 1, 1, 1, device="cuda")).startswith("triton: picked")
