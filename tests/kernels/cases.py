"""What the tests of every backend share: arguments by size, and the error budget against float64."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kernels import coupled_scan, coupled_trace

COUPLINGS = ("identity", "mean", "sum", "simplex", "real")
OPTIONS = ("D", "z", "delta_bias", "initial_state", "mask")


def coupling(kind: str, modalities: int, seed: int = 0) -> Tensor:
    """W [M, M] in float64. The sum is scaled by nothing: it overflows where it should."""
    noise = torch.randn(
        modalities, modalities, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return {
        "identity": torch.eye(modalities, dtype=torch.float64),
        "mean": torch.full((modalities, modalities), 1 / modalities, dtype=torch.float64),
        "sum": torch.ones(modalities, modalities, dtype=torch.float64),
        "simplex": (noise + 2 * torch.eye(modalities, dtype=torch.float64)).softmax(-1),
        "real": noise / modalities,
    }[kind]


def arguments(
    sizes: tuple[int, int, int, int, int],
    kind: str = "simplex",
    options: tuple[str, ...] = OPTIONS,
    softplus: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Float64 arguments of `coupled_scan` for sizes (B, L, M, E, N)."""
    batch, length, modalities, channels, states = sizes
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    delta = normal(batch, length, modalities, channels) - 2
    given = {
        "u": normal(batch, length, modalities, channels),
        "delta": delta if softplus else torch.nn.functional.softplus(delta),
        "A": -torch.exp(0.7 * normal(modalities, channels, states)) * 2,
        "B": normal(batch, length, modalities, states),
        "C": normal(batch, length, modalities, states) / states**0.5,
        "coupling": coupling(kind, modalities, seed),
        "D": normal(modalities, channels),
        "z": normal(batch, length, modalities, channels),
        "delta_bias": 0.1 * normal(modalities, channels),
        "initial_state": normal(batch, modalities, channels, states),
        "mask": torch.rand(batch, length, modalities, generator=generator) > 0.3,
    }
    for name in set(OPTIONS) - set(options):
        del given[name]
    return {**given, "delta_softplus": softplus}


def cast(given: dict[str, Any], dtype: torch.dtype = torch.float32, device: str = "cpu") -> dict[str, Any]:
    """The same arguments in another precision, as leaves that take gradients."""
    moved = dict(given)
    for name, value in given.items():
        if isinstance(value, Tensor):
            floating = value.dtype.is_floating_point
            moved[name] = (
                value.detach().to(device, dtype if floating else value.dtype).requires_grad_(floating)
            )
    return moved


def run(given: dict[str, Any], backend: str, seed: int = 1) -> dict[str, Tensor]:
    """y, the final state and the gradient of every argument, for one random gradient of both outputs."""
    y, state = coupled_scan(**given, return_final_state=True, backend=backend)
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(v.shape, dtype=torch.float64, generator=generator).to(v) for v in (y, state)]
    leaves = {name: v for name, v in given.items() if isinstance(v, Tensor) and v.requires_grad}
    gradients = torch.autograd.grad((y, state), list(leaves.values()), weights)
    return {"y": y, "state": state, **{f"d{name}": g for name, g in zip(leaves, gradients, strict=True)}}


def check(
    given: dict[str, Any], backend: str, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> None:
    """Fail unless the backend's error against float64 is within twice that of the plain loop in this precision.

    Both errors are relative to the largest entry of the exact value; 2e-6 on top is one rounding of a sum of sums.
    """
    low = cast(given, dtype, device)
    exact = run(cast(low, torch.float64, "cpu"), "reference")
    plain = run(cast(low, dtype, "cpu"), "reference")
    ours = run(low, backend)
    wrong = []
    for name, truth in exact.items():
        assert torch.isfinite(truth).all(), f"{name}: the exact value is not finite, so it measures nothing"
        assert torch.isfinite(plain[name]).all(), (
            f"{name}: the plain loop is not finite, so there is no budget"
        )
        scale = truth.abs().amax() if truth.numel() else 1.0
        error = ((ours[name].cpu().double() - truth).abs() / scale).nan_to_num(nan=torch.inf)
        budget = 2 * ((plain[name].double() - truth).abs() / scale)
        over = error.amax() - budget.amax() if truth.numel() else torch.tensor(0.0)
        if over > 2e-6:
            wrong.append(f"{name}: {float(error.amax()):.2e} against a budget of {float(budget.amax()):.2e}")
        assert ours[name].shape == truth.shape, name
    assert not wrong, "; ".join(wrong)


def spoil(given: dict[str, Any], seed: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the arguments with zeros, with NaN and infinities) in what masked ticks give to the states.

    u is among them: without D it reaches nothing but the states.
    """
    assert "D" not in given
    absent = ~given["mask"]
    values = torch.tensor([torch.nan, torch.inf, -torch.inf], dtype=given["u"].dtype)
    generator = torch.Generator().manual_seed(seed)
    clean, spoilt = dict(given), dict(given)
    for name in ("u", "delta", "B"):
        noise = values[torch.randint(3, given[name].shape, generator=generator)]
        clean[name] = given[name].masked_fill(absent[..., None], 0.0)
        spoilt[name] = torch.where(absent[..., None], noise, given[name])
    return clean, spoilt


def check_spoilt(sizes: tuple[int, int, int, int, int], backend: str, softplus: bool) -> None:
    """Fail unless NaN at masked ticks changes no bit of y, of the state, of a trace and of any gradient."""
    options = tuple(name for name in OPTIONS if name != "D")
    clean, spoilt = (cast(given) for given in spoil(arguments(sizes, "real", options, softplus)))
    assert not torch.isfinite(spoilt["delta"]).all()
    expected, found = run(clean, backend), run(spoilt, backend)
    for name, value in expected.items():
        assert torch.isfinite(value).all(), name
        assert torch.equal(found[name], value), name
    pairs = (coupled_trace(**given, backend=backend) for given in (clean, spoilt))
    for value, same in zip(*pairs, strict=True):
        assert torch.equal(value, same)


def check_nan_stays(sizes: tuple[int, int, int, int, int], backend: str, device: str = "cpu") -> None:
    """Fail unless NaN in one chain's delta makes NaN of its channel: there at once, one tick later in every chain."""
    given = cast(arguments(sizes, options=("D", "delta_bias")), device=device)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="coupled_scan: y is not finite")
        given["delta"][0, 1, 0, 0] = torch.nan
        y, state = coupled_scan(**given, return_final_state=True, backend=backend)
    spoilt = torch.zeros_like(y, dtype=torch.bool)
    spoilt[0, 1, 0, 0] = True
    spoilt[0, 2:, :, 0] = True
    assert torch.equal(y.isnan(), spoilt)
    assert torch.equal(state.isnan(), spoilt[:, -1, :, :, None].expand_as(state))


def check_others_stay(
    sizes: tuple[int, int, int, int, int], backend: str, value: float, softplus: bool, device: str = "cpu"
) -> None:
    """Fail unless a delta that is no finite number leaves alone what float64 says is finite.

    A large step stands where it could be missed: in another chain of the same tick and channel, and in another channel
    of an earlier tick.
    """
    given = arguments(sizes, "identity", ("z", "initial_state"), softplus)
    given["A"] = -torch.ones_like(
        given["A"]
    )  # an exponential made for small steps gives 2^94 there, and not 0
    given["delta"][0, 3, 1, 3] = given["delta"][0, 1, 1, 1] = 1000.0
    given["delta"][0, 3, 0, 3] = value
    low = cast(given, torch.float32, device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="coupled_scan: y is not finite")
        exact, found = run(cast(low, torch.float64, "cpu"), "reference"), run(low, backend)
    for name, truth in exact.items():
        finite, ours = torch.isfinite(truth), found[name].cpu().double()
        assert finite.any() or name == "dcoupling", name
        if name in ("y", "state"):
            assert torch.equal(torch.isfinite(ours), finite), name
        torch.testing.assert_close(ours[finite], truth[finite], rtol=1e-3, atol=1e-4, msg=name)


class Allocated(TorchDispatchMode):
    """Counts the floats that `torch.empty` gives out: a backend takes its checkpoints and outputs so."""

    floats = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count what it gives if it is `empty`."""
        found = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.empty.memory_format:
            self.floats += found.numel()
        return found


def check_inference_keeps_nothing(sizes: tuple[int, int, int, int, int], backend: str, spacing: int) -> None:
    """Fail unless a scan of parameters takes checkpoints where gradients are recorded, and only there."""
    parameters = cast(arguments(sizes))
    batch, length, modalities, channels, states = sizes
    kept = (length // spacing - 1) * batch * modalities * channels * states
    taken = []
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with mode(), Allocated() as allocated:
            coupled_scan(**parameters, backend=backend)
        taken.append(allocated.floats)
    assert taken[0] == taken[1]
    assert taken[2] >= taken[0] + kept


SECOND = r"differentiated again.*differentiable once: call coupled_scan with backend='reference'"


def detached(given: dict[str, Any]) -> dict[str, Any]:
    """The float32 arguments without gradients."""
    return {name: v.detach() if isinstance(v, Tensor) else v for name, v in cast(given).items()}


def check_refuses_second_derivatives(
    sizes: tuple[int, int, int, int, int], backend: str, name: str, device: str = "cpu"
) -> None:
    """Fail unless a penalty on the gradient of one argument raises, beside a term that has a gradient of its own."""
    given = cast(arguments(sizes), device=device)
    y, state = coupled_scan(**given, return_final_state=True, backend=backend)
    slope = torch.autograd.grad(y.sum() + state.sum(), given[name], create_graph=True)[0]
    assert slope.requires_grad
    with pytest.raises(RuntimeError, match=SECOND):
        (slope.square().sum() + given[name].sum()).backward()
