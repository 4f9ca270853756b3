"""The reference against formulas written here once more, and autograd against finite differences."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kernels import coupled_conv, coupled_scan, coupled_step
from tests.kernels.cases import COUPLINGS, arguments, cast, check, detached


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor) -> Tensor:
    """Mamba's selective scan, channels first: u, delta, z [B, E, L], A [E, N], B, C [B, N, L], D [E]."""
    decay = torch.exp(torch.einsum("bel,en->beln", delta, A))
    injected = torch.einsum("bel,bnl,bel->beln", delta, B, u)
    state = torch.zeros_like(decay[:, :, 0])
    outputs = []
    for t in range(u.shape[2]):
        state = decay[:, :, t] * state + injected[:, :, t]
        outputs.append(torch.einsum("ben,bn->be", state, C[:, :, t]))
    return (torch.stack(outputs, dim=2) + u * D[:, None]) * F.silu(z)


@pytest.mark.parametrize("kind", COUPLINGS)
def test_gradients_agree_with_finite_differences(kind: str) -> None:
    given = arguments((1, 3, 2, 2, 2), kind)
    names = [name for name, value in given.items() if isinstance(value, Tensor) and name != "mask"]
    leaves = [given[name].requires_grad_() for name in names]

    def call(*values: Tensor) -> tuple[Tensor, Tensor]:
        return coupled_scan(**{**given, **dict(zip(names, values, strict=True))}, return_final_state=True)

    assert torch.autograd.gradcheck(call, leaves)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_identity_coupling_is_separate_selective_scans(backend: str) -> None:
    given = arguments((2, 30, 3, 5, 4), "identity", ("D", "z", "delta_bias"))
    dtype = torch.float64 if backend == "reference" else torch.float32
    cast = {name: v.to(dtype) if isinstance(v, Tensor) else v for name, v in given.items()}
    y = coupled_scan(**cast, backend=backend).double()
    delta = F.softplus(given["delta"] + given["delta_bias"])
    for m in range(3):
        u, d, B, C, z = (
            v[:, :, m].transpose(1, 2) for v in (given["u"], delta, given["B"], given["C"], given["z"])
        )
        expected = selective_scan(u, d, given["A"][m], B, C, given["D"][m], z).transpose(1, 2)
        torch.testing.assert_close(
            y[:, :, m], expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 2e-6
        )


def test_the_sum_is_one_recurrence_of_the_summed_state() -> None:
    given = arguments((1, 12, 3, 4, 2), "sum", (), softplus=False)
    u, delta, A, B = (given[name] for name in ("u", "delta", "A", "B"))
    total = torch.zeros(1, 4, 2, dtype=torch.float64)
    expected = []
    for t in range(12):
        S = torch.exp(delta[:, t, :, :, None] * A)
        injected = (delta * u)[:, t, :, :, None] * B[:, t, :, None]
        h = S * total[:, None] + injected
        expected.append(torch.einsum("bmen,bmn->bme", h, given["C"][:, t]))
        total = h.sum(1)
    torch.testing.assert_close(coupled_scan(**given), torch.stack(expected, 1))


def test_a_masked_tick_injects_nothing_and_holds_the_chain() -> None:
    given = arguments((1, 4, 2, 3, 2), "simplex", ("mask", "initial_state"))
    given["mask"] = torch.zeros(1, 4, 2, dtype=torch.bool)
    _, state = coupled_scan(**given, return_final_state=True)
    held = torch.einsum(
        "mj,bjen->bmen", torch.linalg.matrix_power(given["coupling"], 4), given["initial_state"]
    )
    torch.testing.assert_close(state, held)


@pytest.mark.parametrize("length", [1, 2, 63, 200], ids=lambda n: f"L{n}")
@pytest.mark.parametrize("kind", ["identity", "mean", "simplex", "real"])
def test_constant_parameters_are_a_convolution(kind: str, length: int) -> None:
    given = arguments((2, length, 3, 4, 5), kind, ("D", "z", "delta_bias"))
    constant = {name: given[name][0, 0] for name in ("delta", "B", "C")}
    repeated = {name: value.expand(2, length, *value.shape) for name, value in constant.items()}
    expected = coupled_scan(**{**given, **repeated})
    torch.testing.assert_close(coupled_conv(**{**given, **constant}), expected, rtol=1e-9, atol=1e-9)
    single = {k: v.float() if isinstance(v, Tensor) else v for k, v in {**given, **constant}.items()}
    torch.testing.assert_close(coupled_conv(**single).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_convolution_whose_kernel_grows_is_refused_and_not_wrong(dtype: torch.dtype) -> None:
    for length in (1, 2, 3, 20, 100):
        given = arguments((2, length, 3, 4, 5), "sum", (), softplus=False)
        constant = {name: given[name][0, 0] for name in ("delta", "B", "C")}
        repeated = {name: value.expand(2, length, *value.shape) for name, value in constant.items()}
        ours = {k: v.to(dtype) if isinstance(v, Tensor) else v for k, v in {**given, **constant}.items()}
        if length > 3:
            with pytest.raises(ValueError, match=rf"grows with lag.* over {length} ticks.*use coupled_scan"):
                coupled_conv(**ours)
            continue
        expected = coupled_scan(**{**given, **repeated})
        torch.testing.assert_close(coupled_conv(**ours).double(), expected, rtol=1e-4, atol=1e-4)


def test_the_convolution_passes_gradients_on() -> None:
    given = arguments((1, 9, 2, 3, 2), "simplex", ())
    names = ("delta", "B", "C")
    leaves = {name: given[name][0, 0].clone().requires_grad_() for name in names}
    spread = {name: value.expand(1, 9, *value.shape) for name, value in leaves.items()}
    ours = torch.autograd.grad(coupled_conv(**{**given, **leaves}).square().sum(), list(leaves.values()))
    scan = torch.autograd.grad(coupled_scan(**{**given, **spread}).square().sum(), list(leaves.values()))
    torch.testing.assert_close(ours, scan)


def _at_mambas_start(kind: str, length: int, channels: int = 64) -> dict[str, Tensor]:
    """Mamba's initialisation at N = 64: A_n = -n, delta log-uniform on 0.001..0.1, unit input."""
    torch.manual_seed(0)
    given = arguments((1, length, 3, channels, 64), kind, (), softplus=False)
    given["A"] = -torch.arange(1.0, 65.0).expand(3, channels, 64).contiguous()
    log = torch.empty(3, channels).uniform_(math.log(1e-3), math.log(0.1))
    given["delta"] = log.exp().expand(1, length, 3, channels).contiguous()
    return {name: value.float() if isinstance(value, Tensor) else value for name, value in given.items()}


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_literal_sum_overflows_near_tick_85_and_says_so(backend: str) -> None:
    given = _at_mambas_start("sum", 100)
    with pytest.warns(
        RuntimeWarning, match="last tick, 100, while all .*states overflowed.*row sum of .coupling. is 3"
    ):
        y = coupled_scan(**given, backend=backend)
    finite = torch.isfinite(y).flatten(2).all(-1)[0]
    assert 75 <= int(finite.sum()) <= 95
    assert bool(finite[:75].all())


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.filterwarnings("error")
def test_what_the_skip_brings_from_a_masked_tick_is_no_overflow(backend: str) -> None:
    given = cast(arguments((2, 5, 3, 4, 2)))
    with torch.no_grad():
        given["mask"][1, -1, 2] = False
        given["u"][1, -1, 2] = torch.nan
        y, state = coupled_scan(**given, return_final_state=True, backend=backend)
        assert torch.isfinite(state).all()
        assert y[1, -1, 2].isnan().all()
        given["u"][1, 0, 2] = torch.inf
        given["mask"][1, 0, 2] = True
        with pytest.warns(RuntimeWarning, match="last tick, 5, and NaN or infinities stand in u: mask"):
            coupled_scan(**given, backend=backend)


@pytest.mark.parametrize("name", ["u", "C", "coupling", "D", "initial_state"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf], ids=str)
def test_an_argument_that_is_not_finite_is_named_and_no_overflow(name: str, value: float) -> None:
    given = detached(arguments((1, 5, 2, 3, 2), options=("D", "initial_state")))
    given[name][(-1,) * given[name].dim()] = value
    with pytest.warns(
        RuntimeWarning, match=f"last tick, 5, and NaN or infinities stand in {name}: mask"
    ) as seen:
        coupled_scan(**given)
    assert "overflowed" not in str(seen[0].message)
    assert seen[0].filename == __file__


def test_what_masked_ticks_hold_is_not_named_where_the_states_overflow() -> None:
    given = detached(arguments((1, 5, 2, 3, 2), "real", ("D", "mask")))
    given["mask"].fill_(True)
    given["mask"][0, 1, 0] = False
    given["coupling"] *= 1e30
    for name in ("u", "delta", "B"):
        given[name][0, 1, 0] = torch.nan
    with pytest.warns(RuntimeWarning, match="last tick, 5, while all arguments are: the states overflowed"):
        coupled_scan(**given)


def test_a_delta_below_zero_is_named_where_the_rows_of_the_coupling_are_not_to_blame() -> None:
    given = detached(arguments((1, 5, 2, 3, 2), "mean", (), softplus=False))
    given["delta"] = -100 * given["delta"]
    with pytest.warns(RuntimeWarning, match=r"overflowed.* is 1: .*or a delta below 0 \(S > 1\)"):
        coupled_scan(**given)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.filterwarnings("error")
def test_the_mean_never_overflows(backend: str) -> None:
    y = coupled_scan(**_at_mambas_start("mean", 2000, channels=8), backend=backend)
    assert bool(torch.isfinite(y).all())


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_ticks_one_by_one_are_the_scan(backend: str) -> None:
    given = arguments((2, 9, 3, 5, 4), "real")
    given = {k: v.float() if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in given.items()}
    y, last = coupled_scan(**given, return_final_state=True, backend=backend)
    state, whole = given.pop("initial_state"), given
    for t in range(9):
        tick = {k: whole[k][:, t] for k in ("u", "delta", "B", "C", "z", "mask")}
        y_t, state = coupled_step(state, **{**whole, **tick}, backend=backend)
        torch.testing.assert_close(y_t, y[:, t], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(state, last, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:coupled_scan. y is not finite")
def test_a_comparison_with_what_is_no_number_is_no_pass() -> None:
    given = arguments((1, 4, 2, 3, 2))
    given["u"][0, 1, 0, 0] = torch.nan
    with pytest.raises(AssertionError, match="exact value is not finite"):
        check(given, "reference")
    given = arguments((1, 4, 2, 3, 2))
    given["u"], given["D"], given["z"] = (
        torch.full_like(given[k], v) for k, v in zip("uDz", (9, 6e4, 3), strict=True)
    )
    with pytest.raises(AssertionError, match="plain loop is not finite"):  # y is beyond float16
        check(given, "reference", torch.float16)
