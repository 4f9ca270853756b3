"""What `kernels.bench` times: for each operation its backends and their peers, each with a check of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from kernels import coupled_conv, coupled_scan, coupled_trace
from kernels.backends import BACKENDS, obstacle
from kernels.floor import copied, exponentials
from kernels.inputs import ScanInputs
from kernels.peers import cross_attention, mamba_scans, plain_scans, ways

Sizes = tuple[int, int, int, int, int]  # B, L, M, E, N
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 1e-2}


@dataclass(frozen=True)
class Contender:
    """One way to do an operation; `moved` is the bytes of its inputs and outputs, `verify` raises if it is wrong."""

    backend: str
    call: Callable[[], object]
    moved: int
    verify: Callable[[], None]


def make_inputs(sizes: Sizes, dtype: torch.dtype, device: str) -> ScanInputs:
    """Inputs at Mamba's initialisation: A_n = -n, delta log-uniform around 0.001..0.1, W the mean."""
    batch, length, modalities, channels, states = sizes
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device, dtype)

    rows = (batch, length, modalities)
    return ScanInputs(
        normal(*rows, channels),
        normal(*rows, channels) * 0.5 - 4,
        -torch.arange(1.0, states + 1, device=device).expand(modalities, channels, states).contiguous(),
        normal(*rows, states),
        normal(*rows, states) / states**0.5,
        torch.full((modalities, modalities), 1 / modalities, device=device),
        torch.ones(modalities, channels, device=device),
        normal(*rows, channels),
        torch.zeros(modalities, channels, device=device),
        True,
    )


def forward(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """y without gradients: every backend, three plain scans in torch, mamba-ssm's where it is installed."""
    i = make_inputs(sizes, dtype, device)
    exact = _exactly(i)
    moved = 4 * i.u.nbytes + i.B.nbytes + i.C.nbytes
    for name in _runnable(i.u):
        for label, call in ways(name, partial(coupled_scan, **vars(i), backend=name)):
            yield Contender(label, call, moved, partial(_verify, call, exact))
    alone = replace(i, coupling=torch.eye(sizes[2], device=device))
    separate = _exactly(alone)
    for name, peer in (("plain scans", plain_scans), ("mamba_ssm", mamba_scans)):
        if name == "plain scans" or installed("mamba_ssm"):
            yield Contender(
                name, partial(peer, alone), moved, partial(_verify, partial(peer, alone), separate)
            )


def training_step(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """y and the gradient of every argument."""
    i = make_inputs(sizes, dtype, device)
    leaves = {name: value.requires_grad_() for name, value in i.tensors.items()}
    moved = 8 * i.u.nbytes + 3 * (i.B.nbytes + i.C.nbytes)

    def step(backend: str) -> tuple[Tensor, ...]:
        y = coupled_scan(**vars(i), backend=backend)
        return torch.autograd.grad(y, list(leaves.values()), i.u.detach())

    exact = [value.double() for value in step("reference")]
    for name in _runnable(i.u):
        for label, call in ways(name, partial(step, name)):
            yield Contender(label, call, moved, partial(_verify_gradients, call, exact, list(leaves)))


def trace(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """The scan, the scan with its norms, and with norms and shares, for the backend "auto" picks."""
    i = make_inputs(sizes, dtype, device)
    exact = _exactly(i)
    scan = partial(coupled_scan, **vars(i))
    yield Contender("scan", scan, 4 * i.u.nbytes, partial(_verify, scan, exact))
    for name, shares in (("with norms", False), ("with shares", True)):

        def call(shares: bool = shares) -> Tensor:
            return coupled_trace(**vars(i), shares=shares)[0]

        yield Contender(name, call, 4 * i.u.nbytes, partial(_verify, call, exact))


def constant(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """Parameters constant in time: the FFT convolution against the scan."""
    i = make_inputs(sizes, dtype, device)
    once = {name: getattr(i, name)[0, 0].contiguous() for name in ("delta", "B", "C")}
    repeated = {name: value.expand(*i.u.shape[:2], *value.shape) for name, value in once.items()}
    i = replace(i, **repeated)
    exact = _exactly(i)
    scan = partial(coupled_scan, **vars(i))
    given = {k: v for k, v in vars(i).items() if k not in ("initial_state", "mask")}
    conv = partial(coupled_conv, **{**given, **once})
    yield Contender("scan", scan, 3 * i.u.nbytes, partial(_verify, scan, exact))
    yield Contender("conv", conv, 3 * i.u.nbytes, partial(_verify, conv, exact))


def fusion(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """A training step of the operation that fuses: the scan, and cross attention unfused and fused."""
    i = make_inputs(sizes, dtype, device)
    leaves = [value.requires_grad_() for value in i.tensors.values()]

    def attention(fused: bool) -> Tensor:
        return torch.autograd.grad(cross_attention(i.u, fused=fused), i.u, i.u.detach())[0]

    def scan() -> tuple[Tensor, ...]:
        return torch.autograd.grad(coupled_scan(**vars(i)), leaves, i.u.detach())

    exact = attention(False).double()
    check = partial(_verify, partial(coupled_scan, **vars(i)), _exactly(i))
    yield Contender("coupled scan", scan, 8 * i.u.nbytes, check)
    for name, fused in (("cross attention", False), ("cross attention, fused", True)):
        call = partial(attention, fused)
        yield Contender(name, call, 4 * i.u.nbytes, partial(_verify, call, exact))


def floor(sizes: Sizes, dtype: torch.dtype, device: str) -> Iterator[Contender]:
    """What bounds the forward: its exponentials, its bytes copied, and the forward itself to hold against both."""
    i = make_inputs(sizes, dtype, device)
    moved = 4 * i.u.nbytes + i.B.nbytes + i.C.nbytes
    scan = partial(coupled_scan, **vars(i))
    yield Contender("forward", scan, moved, partial(_verify, scan, _exactly(i)))
    count = i.u.numel() * sizes[-1]
    yield Contender("exponentials", partial(exponentials, count, device), 0, lambda: None)
    target, source = copied(moved, device)
    yield Contender("copy", partial(target.copy_, source), moved, lambda: None)


OPERATIONS = {f.__name__: f for f in (forward, training_step, trace, constant, fusion, floor)}


def installed(package: str) -> bool:
    """Whether a package of this name is there."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _runnable(u: Tensor) -> list[str]:
    """The backends that can run u, without interpreted ones: their times say nothing."""
    names = [name for name in BACKENDS if obstacle(name, u) is None]
    return [name for name in names if name != "triton" or u.device.type != "cpu"]


def _exactly(i: ScanInputs) -> Tensor:
    """The reference's y in float64."""
    wide = {name: value.double() for name, value in i.detached().tensors.items()}
    return coupled_scan(**{**vars(i), **wide}, backend="reference")


def _verify(call: Callable[[], Tensor], exact: Tensor) -> None:
    _compare(call(), exact)


def _verify_gradients(call: Callable[[], tuple[Tensor, ...]], exact: list[Tensor], names: list[str]) -> None:
    """Each by its own largest entry: D's is thousands of times A's, and beside it an error in A's would be none."""
    for name, found, truth in zip(names, call(), exact, strict=True):
        _compare(found, truth, f"gradient of {name}: ")


def _compare(found: Tensor, exact: Tensor, what: str = "") -> None:
    error = float((found.detach().double() - exact).abs().max() / exact.abs().max())
    allowed = TOLERANCE[found.dtype]
    if not error <= allowed:
        raise ValueError(f"{what}wrong by {error:.1e} of the largest entry, allowed {allowed:.0e}")
